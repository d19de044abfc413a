#!/usr/bin/python3
"""options_test.py SYNCLINE-SIM: what the simulator says of options that are
wrong: which, and what would be right; and it runs nothing then."""

import subprocess
import sys

# Arguments, and what the message must hold.
REFUSED = [
    (["--faults", "crash,nope"],
     ["--faults crash,nope", "partition", "remove"]),
    (["--policy", "nope"], ["--policy nope", "keep-both"]),
    (["--seed", "abc"], ["--seed abc", "a number"]),
    (["--seed", "-1"], ["--seed -1", "a number"]),
    (["--seed", "99999999999999999999"], ["a number"]),
    (["--seeds", "10..1"], ["--seeds 10..1", "the first not above"]),
    (["--seeds", "10"], ["--seeds 10", "1..1000"]),
    (["--seeds-from", "here"], ["--seeds-from here", "random"]),
    (["--seeds-from", "random"], ["--seeds-from", "--for SECONDS"]),
    (["--skip-nodes", "0"], ["--skip-nodes 0", "from 1 to 7"]),
    (["--skip-ops", "3-1"], ["--skip-ops 3-1", "3,5-9"]),
    (["--nodes", "1"], ["--nodes 1", "from 2 to 8"]),
    (["--nodes", "9"], ["--nodes 9", "from 2 to 8"]),
    (["--store", "tape"], ["--store tape", "mem or file"]),
    (["--keys", "0"], ["--keys 0", "from 1 to 10000"]),
    (["--every", "0"], ["--every 0", "above 0"]),
    (["--jobs", "0"], ["--jobs 0", "from 1 to 256"]),
    (["--plant", "nope"], ["--plant nope"]),
    (["--seed", "7", "extra"], ["extra", "--help"]),
    (["--nonsense"], ["nonsense"]),
]


def refuses(sim, args, wanted):
    done = subprocess.run([sim, *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, errors="replace")
    lacking = [w for w in wanted if w not in done.stderr]
    if done.returncode != 2:
        return "exit status %d" % done.returncode
    if done.stdout:
        return "it ran: %s" % done.stdout[:100]
    if len(done.stderr.splitlines()) > 2:
        return "it says too much: %s" % done.stderr
    return "%r is not in %r" % (lacking, done.stderr) if lacking else None


def helps(sim):
    done = subprocess.run([sim, "--help"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, errors="replace")
    if done.returncode != 0 or done.stderr:
        return "exit status %d: %s" % (done.returncode, done.stderr)
    lacking = [w for w in ("--shrink", "2 to 8", "partition")
               if w not in done.stdout]
    return "it does not tell of %r" % lacking if lacking else None


def main():
    sim = sys.argv[1]
    results = [(" ".join(args), refuses(sim, args, wanted))
               for args, wanted in REFUSED]
    results.append(("--help", helps(sim)))
    print("1..%d" % len(results))
    for i, (name, wrong) in enumerate(results, 1):
        if wrong:
            print("# %s" % wrong.replace("\n", " "))
        print("%s %d - %s" % ("not ok" if wrong else "ok", i, name))
    return 1 if any(wrong for _, wrong in results) else 0


if __name__ == "__main__":
    sys.exit(main())
