"""What operators say in words about their cameras: kept on the host, embedded, handed to Guides.

The files of ``data_dir/guidance`` are the truth. ``vad-edge guide`` and commands over MQTT change
them alike; the running process follows the files, so it does not matter who wrote last, or whether
it ran at that time.
"""
