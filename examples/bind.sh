#!/bin/sh
# examples/bind.sh - two machines (two folders here) that have an application's
# configuration file, as it is in each. SYNCLINE names the program.
set -eu

syncline=${SYNCLINE:-syncline}
here=$(mktemp -d)
mkdir "$here/etc-a" "$here/etc-b"
trap 'for d in a b; do "$syncline" stop --dir "$here/$d" || :; done 2>/dev/null
    wait
    rm -rf "$here"' EXIT

for d in a b; do
    "$syncline" up --dir "$here/$d" --name "$d" --listen 127.0.0.1:0 \
        --discovery false --files.root "$here/etc-$d" 2>"$here/$d.log" &
done

until_ok() { # command...
    n=0
    until "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        [ "$n" -lt 200 ] || { "$@"; exit 1; }
        sleep 0.05
    done
}
until_ok "$syncline" status --dir "$here/a"
until_ok "$syncline" status --dir "$here/b"
"$syncline" join --dir "$here/b" "$("$syncline" invite --dir "$here/a")"

# The first has the file already.
cat >"$here/etc-a/app.json" <<'END'
{
    "log": { "level": "info" },
    "port": 8080
}
END
"$syncline" bind --dir "$here/a" "$here/etc-a/app.json" --key app
until_ok "$syncline" get --dir "$here/b" default app
"$syncline" bind --dir "$here/b" "$here/etc-b/app.json" --key app

# Somebody edits it on the second; the first keeps its order and indentation.
sed 's/info/debug/' "$here/etc-b/app.json" >"$here/etc-b/new"
mv "$here/etc-b/new" "$here/etc-b/app.json"
until_ok grep -q debug "$here/etc-a/app.json"
cat "$here/etc-a/app.json"
