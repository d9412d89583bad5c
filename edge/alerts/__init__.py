"""From scores to alerts: alarms, pictures, a durable outbox, the broker, Home Assistant.

An alert is announced at least once and under one id, whatever dies in between. The outbox commits
before anything is published and deletes when the broker acknowledges; an event that a killed
process left open is either gone on with, under its id, or ended. QoS 1 alone does not promise
that anybody heard: a broker that restarts forgets its sessions and acknowledges messages before
its subscribers are back. MQTT 5 tells when nobody subscribes, and the outbox then keeps the
message for some minutes (``publisher.UNHEARD_FOR_S``).
"""
