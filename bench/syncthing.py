"""Two Syncthings on loopback that share a folder, to be measured beside
Syncline's bound files. They ask nobody outside: no discovery, no relays, no
reports."""

import os
import shutil
import socket
import subprocess
import time
import xml.etree.ElementTree as tree

from harness import end

PROGRAM = shutil.which("syncthing")
OPTIONS = {"globalAnnounceEnabled": "false", "localAnnounceEnabled": "false",
           "relaysEnabled": "false", "natEnabled": "false",
           "crashReportingEnabled": "false", "startBrowser": "false",
           "urAccepted": "-1", "autoUpgradeIntervalH": "0",
           "releasesURL": "", "crashReportingURL": "", "urURL": "",
           "reconnectionIntervalS": "1"}


def version():
    said = subprocess.run([PROGRAM, "--version"], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    return said.split()[1]


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class One:
    def __init__(self, folder, name):
        self.home = os.path.join(folder, name + ".home")
        self.shared = os.path.join(folder, name + ".shared")
        self.log = os.path.join(folder, name + ".log")
        self.port, self.gui = _free_port(), _free_port()
        self.process = None
        os.makedirs(os.path.join(self.shared, ".stfolder"))
        subprocess.run([PROGRAM, "generate", "--home", self.home,
                        "--no-default-folder"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=self._surroundings())
        self.id = subprocess.run(
            [PROGRAM, "--home", self.home, "--device-id"],
            stdout=subprocess.PIPE, text=True, check=True,
            env=self._surroundings()).stdout.strip()

    def _surroundings(self):
        return dict(os.environ, HOME=self.home, STNOUPGRADE="1",
                    STNORESTART="1")

    def configure(self, other, delay_s):
        path = os.path.join(self.home, "config.xml")
        config = tree.parse(path)
        root = config.getroot()
        options = root.find("options")
        for name, value in OPTIONS.items():
            options.find(name).text = value
        options.find("listenAddress").text = "tcp://127.0.0.1:%d" % self.port
        root.find("gui/address").text = "127.0.0.1:%d" % self.gui
        for old in root.findall("folder") + root.findall("device"):
            root.remove(old)
        share = tree.SubElement(root, "folder", {
            "id": "bench", "path": self.shared, "type": "sendreceive",
            "rescanIntervalS": "3600", "fsWatcherEnabled": "true",
            "fsWatcherDelayS": str(delay_s)})
        for each in (self, other):
            tree.SubElement(share, "device", {"id": each.id})
            device = tree.SubElement(root, "device", {"id": each.id})
            tree.SubElement(device, "address").text = (
                "tcp://127.0.0.1:%d" % each.port)
        config.write(path)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--home", self.home, "--no-browser",
                 "--no-upgrade"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=self._surroundings())

    def stop(self):
        end(self.process)

    def knows(self, name, text):
        try:
            with open(os.path.join(self.shared, name)) as f:
                return f.read() == text
        except OSError:
            return False


class Pair:
    """Both running, and a first file has gone over."""

    def __init__(self, folder, delay_s):
        os.makedirs(folder)
        self.a, self.b = One(folder, "a"), One(folder, "b")
        self.a.configure(self.b, delay_s)
        self.b.configure(self.a, delay_s)

    def start(self):
        self.a.start()
        self.b.start()
        with open(os.path.join(self.a.shared, "first"), "w") as f:
            f.write("there")
        limit = time.monotonic() + 120
        while not self.b.knows("first", "there"):
            if time.monotonic() > limit or any(
                    x.process.poll() is not None for x in (self.a, self.b)):
                self.stop()
                raise OSError("the two Syncthings do not come together")
            time.sleep(0.1)

    def stop(self):
        self.a.stop()
        self.b.stop()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def files(self, name):
        return [os.path.join(x.shared, name) for x in (self.a, self.b)]
