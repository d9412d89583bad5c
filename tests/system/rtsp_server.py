"""Serve a video file as an RTSP camera would: in a loop, at its own pace, for ever.

Runs under the system's Python, which has GStreamer's bindings, not under the project's::

    /usr/bin/python3 tests/system/rtsp_server.py --file clip.mkv --port 8554 --user u --password w

Takes H.264 and H.265, bare or in Matroska or MP4. Encode with one slice per picture and without
B-frames (x264: ``slices=1:bframes=0``). Prints ``ready`` once it listens. All clients share one
stream, /stream.
"""

import argparse
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402  versions come first

CODECS = {"video/x-h264": "h264", "video/x-h265": "h265"}
DEFAULT_RATE_HZ = 25.0


def read_access_units(path):
    """The file's codec, frame rate and access units (Annex B, one picture each)."""
    pipeline = Gst.parse_launch("filesrc name=file ! parsebin name=parse")
    pipeline.get_by_name("file").set_property("location", path)
    found = {}
    pipeline.get_by_name("parse").connect("pad-added", _take_video, pipeline, found)
    pipeline.set_state(Gst.State.PLAYING)
    bus = pipeline.get_bus()
    message = bus.timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if message is None or message.type == Gst.MessageType.ERROR or not found.get("units"):
        sys.exit(f"cannot read {path}: {message.parse_error() if message else 'timed out'}")
    return found["codec"], found["rate_hz"], found["units"]


def _take_video(_parsebin, pad, pipeline, found):
    caps = pad.get_current_caps() or pad.query_caps()
    structure = caps.get_structure(0)
    codec = CODECS.get(structure.get_name())
    if codec is None or "codec" in found:
        return
    known, numerator, denominator = structure.get_fraction("framerate")
    found["rate_hz"] = numerator / denominator if known and numerator else DEFAULT_RATE_HZ
    found["codec"], found["units"] = codec, []
    tail = Gst.parse_bin_from_description(
        f"{codec}parse config-interval=-1"
        f" ! video/x-{codec},stream-format=byte-stream,alignment=au"
        " ! appsink name=out emit-signals=true sync=false",
        True,
    )
    tail.get_by_name("out").connect("new-sample", _collect, found["units"])
    pipeline.add(tail)
    tail.sync_state_with_parent()
    pad.link(tail.get_static_pad("sink"))


def _collect(sink, units):
    buffer = sink.emit("pull-sample").get_buffer()
    units.append(buffer.extract_dup(0, buffer.get_size()))
    return Gst.FlowReturn.OK


def push_for_ever(appsrc, units, rate_hz):
    """Push one access unit after another at real-time pace until the stream is torn down."""
    start_s = time.monotonic()
    number = 0
    while True:
        buffer = Gst.Buffer.new_wrapped(units[number % len(units)])
        buffer.duration = int(Gst.SECOND / rate_hz)
        if appsrc.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
            return
        number += 1
        time.sleep(max(0.0, start_s + number / rate_hz - time.monotonic()))


def make_factory(codec, rate_hz, units):
    """One shared stream; its pushing thread lives as long as the stream has clients."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    factory.set_launch(
        f"( appsrc name=source is-live=true do-timestamp=true format=time max-bytes=4000000"
        f" caps=video/x-{codec},stream-format=byte-stream,alignment=au"
        f" ! {codec}parse config-interval=-1 ! rtp{codec}pay name=pay0 pt=96 config-interval=-1 )"
    )

    def start_pushing(_factory, media):
        appsrc = media.get_element().get_by_name("source")
        arguments = (appsrc, units, rate_hz)
        threading.Thread(target=push_for_ever, args=arguments, daemon=True).start()

    factory.connect("media-configure", start_pushing)
    return factory


def demand_password(server, factory, user, password):
    """Refuse whoever does not know the password (RTSP Basic authentication)."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", required=True)
    parser.add_argument("--port", required=True)
    parser.add_argument("--user")
    parser.add_argument("--password")
    options = parser.parse_args()
    Gst.init(None)
    factory = make_factory(*read_access_units(options.file))
    factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    if options.user:
        demand_password(server, factory, options.user, options.password or "")
    server.get_mount_points().add_factory("/stream", factory)
    if server.attach(None) == 0:
        sys.exit(f"cannot listen on port {options.port}")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
