#!/usr/bin/python3
"""What the node tells people in sentences of its own has its words in each
language of the dashboard: a sentence is known by its English, in which {} stands
for what varies."""

import re

import lint

SOURCES = ("src/app/doctor.c", "src/app/doctor_older.c",
           "src/app/lan/lan_conns.c", "src/app/lan/lan_door.c",
           "src/app/engine/engine_errors.c", "src/repl/clock_verdict.c")
TABLE = "dashboard/src/strings/told_es.ts"
# Of no page: what refuses a request, how a file is called, and what is looked
# for in others' sentences.
OTHERS = ("name of at most 40 bytes", "list of errors",
          "this is no list of errors", " at ", "its cert", "memory ran out")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
CALL = re.compile(r"\b(?:log_line|errmsg_set)\((?:[^;]|\n)*?;")
TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:PRI\w\d\d\s*)?"(?:[^"\\\n]|\\.)*")*')
HOLE = re.compile(r"%[-+#0-9.*]*(?:ll|[zhlj])?[a-zA-Z]")
# ["...", "..."], the first of which may be put together of several.
ROW = re.compile(r'\[\s*("(?:[^"\\]|\\.)*"(?:\s*\+\s*"(?:[^"\\]|\\.)*")*),'
                 r'\s*("(?:[^"\\]|\\.)*"(?:\s*\+\s*"(?:[^"\\]|\\.)*")*),?\s*\]')


def joined(text):
    """What pieces between quotes say together."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def sentences(text):
    """All that is said, as it would be in the table; and of those what has at
    least two words, which must be there."""
    text = COMMENT.sub("", text.replace("\\\n", "\n"))
    text = "\n".join(x for x in text.split("\n") if not x.startswith("#inc"))
    text = CALL.sub("", text)
    text = re.sub(r'"\s*PRI\w\d\d\s*"', "d", text)
    for found in TEXT.finditer(text):
        yield HOLE.sub("{}", joined(found.group(0)))


def must(said):
    return re.search(r"[a-z]{2}[,;:)]* .*[a-z]{2}|^[: ].*[a-z]{2}", said)


def check(root):
    there = set(lint.files(root, ".c", ".ts"))
    table = lint.text_of(root, TABLE)
    known = [(joined(a), joined(b)) for a, b in ROW.findall(table)]
    said = {}
    for name in there & set(SOURCES):
        for text in sentences(lint.text_of(root, name)):
            said[text] = name
    for text, name in said.items():
        if must(text) and text not in OTHERS and text not in dict(known):
            yield '%s: "%s" has no Spanish in %s' % (name, text, TABLE)
    for text, other in known:
        if text not in said:
            yield '%s: nobody says "%s"' % (TABLE, text)
        holes = set(re.findall(r"\{(\d*)\}", other))
        if not holes <= {str(n + 1) for n in range(text.count("{}"))}:
            yield '%s: "%s" has other holes' % (TABLE, other)


SAYS = 'void f(void)\n{\n    put(x, "%%s is away, "\n        "%s");\n}\n'
ROWS = "export const told: [string, string][] = [\n    [%s, %s],\n];\n"

if __name__ == "__main__":
    lint.main("what the node says has its words in each language", check, {
        "a sentence of no table": {
            SOURCES[0]: SAYS % "or so", TABLE: ROWS % ('"x"', '"y"')},
        "a sentence that nobody says": {
            SOURCES[0]: SAYS % "or so",
            TABLE: ROWS % ('"{} is away, " + "or not"', '"{1} falta"')},
        "a hole too many": {
            SOURCES[0]: SAYS % "or so",
            TABLE: ROWS % ('"{} is away, or so"', '"{2} falta"')},
        "fine": {
            SOURCES[0]: SAYS % "or so",
            TABLE: ROWS % ('"{} is away, " + "or so"', '"{1} falta"')},
    })
