#!/usr/bin/python3
"""Who may include whom: the table of ARCHITECTURE.md, enforced."""

import os
import re

import lint

BELOW_IO = {"base", "core", "crypto", "repl", "store", "faces", "files"}
MAY = {
    "base": set(),
    "core": {"base"},
    "crypto": {"base"},
    "repl": {"base", "core"},
    "store": {"base", "core"},
    "faces": {"base", "core", "crypto", "repl"},
    "files": {"base", "core"},
    "io": BELOW_IO,
    "app": BELOW_IO | {"io"},
    "sim": BELOW_IO,
}
# Headers that a layer may include although it may not include their layer:
# ports, which say what the other side does without bringing it in.
PORTS = {
    "crypto": {"core/id.h", "core/netaddr.h", "core/vv.h"},
    "repl": {"crypto/code.h", "crypto/envelope.h", "crypto/merkle.h",
             "crypto/port.h", "crypto/sheaf.h", "store/store.h"},
}
PURE = {"base", "core", "repl", "files"}
PURE_SYSTEM = {
    "float.h", "inttypes.h", "limits.h", "math.h", "nmmintrin.h",
    "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
    "stdio.h", "stdlib.h", "string.h",
}
# Outside libraries by the beginning of their header's name.
OUTSIDE = {
    "openssl/": {"crypto", "io"},
    "argon2.h": {"crypto"},
    "sodium.h": {"crypto"},
    "sqlite3.h": {"store", "sim"},
    "llhttp": {"faces"},
    "wslay/": {"faces"},
    "zlib.h": {"faces"},
    "yaml.h": {"files", "app"},
    "pcre2.h": {"files"},
    "uv.h": {"io", "app"},
    "curl/": {"io"},
    "zstd": {"io"},
    "avahi-": {"io"},
    "nats": {"io"},
    "systemd/": {"app"},
    "qrencode.h": {"app"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(name):
    parts = name.split("/")
    if parts[0] == "sim":
        return "sim"
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def quoted(layer, header):
    """What is wrong with a quoted include, or None."""
    if header in ("syncline.h", "syncline_lan.h"):
        return None
    if "/" not in header:
        return "%s does not carry its layer" % header
    target = header.split("/")[0]
    if target not in MAY:
        return "%s is in no layer" % header
    if header in PORTS.get(layer, ()):
        return None
    if target != layer and target not in MAY[layer]:
        return "%s may not include %s" % (layer, header)
    return None


def angled(layer, header):
    for start, layers in OUTSIDE.items():
        if header.startswith(start):
            return None if layer in layers else \
                "%s may not include <%s>" % (layer, header)
    if layer in PURE and header not in PURE_SYSTEM:
        return "%s is pure and may not include <%s>" % (layer, header)
    return None


def own_header(root, name):
    if not name.endswith(".c"):
        return None
    header = name[:-2] + ".h"
    if not os.path.exists(os.path.join(root, header)):
        return None
    return header[4:] if header.startswith("src/") else header


def check_file(root, name, layer):
    own = own_header(root, name)
    first = None
    seen = set()
    for number, line in lint.lines_of(root, name):
        found = INCLUDE.match(line)
        if not found:
            continue
        mark, header = found.groups()
        first = first or header
        if header in seen:
            yield "%s:%d: includes %s again" % (name, number, header)
        seen.add(header)
        wrong = quoted(layer, header) if mark == '"' else \
            angled(layer, header)
        if wrong:
            yield "%s:%d: %s" % (name, number, wrong)
    if own is not None and first != own:
        yield "%s: includes %s before its own header" % (name, first)


def check(root):
    for name in lint.files(root, ".c", ".h"):
        layer = layer_of(name)
        if layer is None:
            continue
        if layer not in MAY:
            yield "%s: %s is no layer" % (name, layer)
            continue
        yield from check_file(root, name, layer)


lint.main("every include points downwards", check, {
    "base that looks up": {"src/base/a.c": '#include "core/vv.h"\n'},
    "core that asks the time": {"src/core/a.c": "#include <time.h>\n"},
    "repl that opens sockets": {"src/repl/a.c": "#include <sys/socket.h>\n"},
    "repl that reaches past a port": {
        "src/repl/a.c": '#include "store/store_file.h"\n'},
    "files that open files": {"src/files/a.c": "#include <fcntl.h>\n"},
    "a store that knows the loop": {"src/store/a.c": "#include <uv.h>\n"},
    "a simulator that does I/O": {"sim/a.c": '#include "io/loop.h"\n'},
    "an include without its layer": {"src/io/a.c": '#include "loop.h"\n'},
    "a folder that is no layer": {"src/misc/a.c": "#include <stdio.h>\n"},
    "a header that comes twice": {
        "src/base/a.c": "#include <stdio.h>\n#include <stdio.h>\n"},
    "a header that does not come first": {
        "src/base/a.h": "", "src/base/a.c":
        '#include <stdio.h>\n#include "base/a.h"\n'},
    "fine": {
        "src/base/a.h": "#include <stdint.h>\n",
        "src/repl/a.c": '#include "core/vv.h"\n#include "store/store.h"\n',
        "sim/a.c": '#include "repl/node.h"\n#include <stdio.h>\n'},
})
