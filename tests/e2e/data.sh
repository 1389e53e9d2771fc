#!/bin/sh
# Fetching data sets from a server that breaks off, lies, moves and stalls: the right file in its
# place, or a clear message and nothing there.
. "$(dirname "$0")/lib.sh"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy no_proxy NO_PROXY PROCTOR_DATA
mkdir -p www/set
/usr/bin/python3 - <<'PY'
import hashlib, random
rng = random.Random(7)
out = "catalogue: 1\nsets:\n"
for name, size in (("one", 200000), ("two", 0), ("small", 3000)):
    data = bytes(rng.randrange(32, 127) for _ in range(size)) if size else None
    if data is not None:
        open("www/set/%s.jsonl" % name, "wb").write(data)
    out += "  %s:\n    about: a set\n    licence: MIT\n    origin: here\n    files:\n" % name
    out += "      - {file: set/%s.jsonl, sha256: %s, bytes: %d, rows: 1, url: 'https://data.invalid/set/%s.jsonl'}\n" % (
        name, hashlib.sha256(data or b"absent").hexdigest(), size or 6, name)
out += "  hand:\n    about: a set\n    licence: MIT\n    origin: here\n    files:\n"
out += "      - {file: set/hand.jsonl, manual: ask its owner}\n"
open("catalogue.yaml", "w").write(out)
PY
/usr/bin/python3 "$root/tests/e2e/data_server.py" www log.txt >port.txt &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s port.txt ] && break
    sleep 0.2
done
url=http://127.0.0.1:$(cat port.txt)
data="$proctor data --catalogue catalogue.yaml"
one=$PROCTOR_CACHE/data/set/one.jsonl

whole()
{
    cmp -s www/set/one.jsonl "$one" || fail "$1: the file is not whole"
    [ -z "$(ls -A "$PROCTOR_CACHE/data/set" | grep part)" ] || fail "$1: a part is left"
    rm "$one"
    checks=$((checks + 1))
}

nothing()
{
    [ ! -e "$one" ] || fail "$1: something is in its place"
    checks=$((checks + 1))
}

# Nothing is fetched unasked, and --offline says what would be.
expect 0 "missing" $data list
expect 0 "set/one.jsonl" $data check
expect 2 "missing" $data check one
expect 2 "would fetch https://data.invalid/set/one.jsonl (200000 bytes)" $data fetch one --offline
expect 2 "ask its owner" $data fetch hand
expect 2 "did you mean 'small'" $data fetch smal
expect 2 "--mirror" $data list --mirror http://x
expect 2 "fetch what" $data fetch
[ ! -s log.txt ] || fail "something was fetched unasked"
nothing offline

# A good server, straight, moved, and through a proxy.
expect 0 "$one" $data fetch one --mirror "$url/ok"
expect 0 "right" $data check one
expect 0 "already there" $data fetch one --mirror "$url/ok"
[ "$(grep -c one.jsonl log.txt)" -eq 1 ] || fail "fetched again what was there"
whole ok
expect 0 "" $data fetch one --mirror "$url/moved/"
whole moved
expect 0 "" env http_proxy="$url" $data fetch one --mirror "http://elsewhere.invalid/ok"
grep -q "elsewhere.invalid" log.txt || fail "the proxy was not asked"
whole proxy
expect 0 "" env PROCTOR_DATA="$work/mine" $data fetch set/one.jsonl --mirror "$url/ok"
cmp -s www/set/one.jsonl mine/set/one.jsonl || fail "PROCTOR_DATA is not where it went"

# Servers that break off are asked again, from where they stopped.
expect 0 "trying again" $data fetch one --mirror "$url/cut"
[ "$(grep -c '^cut set/one.jsonl bytes=' log.txt)" -ge 3 ] || { cat log.txt; fail "no Range was asked for"; }
whole cut
expect 0 "trying again" $data fetch one --mirror "$url/busy" --retries 3
whole busy

# What cannot be had: a message, nothing in its place; an interrupted part is kept and continued.
expect 1 "after 2 attempts" $data fetch one --mirror "$url/dead" --retries 1
nothing dead
[ -n "$(ls -A "$PROCTOR_CACHE/data/set" | grep part)" ] || fail "the part was not kept"
expect 0 "" $data fetch one --mirror "$url/ok"
grep -q '^ok set/one.jsonl bytes=1000-' log.txt || fail "the part was not continued"
whole continued
expect 1 "" $data fetch one --mirror "$url/dead" --retries 0
expect 0 "" $data fetch one --mirror "$url/norange"
whole norange
expect 1 "" $data fetch one --mirror "$url/dead" --retries 0
expect 0 "" $data fetch one --mirror "$url/shifted" --retries 1
whole shifted
expect 1 "1000 of 200000 bytes" $data fetch one --mirror "$url/short" --retries 0
nothing short
rm -rf "$PROCTOR_CACHE/data"
expect 2 "404" $data fetch two --mirror "$url/ok"
expect 2 "more than the 200000 bytes" $data fetch one --mirror "$url/long"
expect 2 "expected" $data fetch one --mirror "$url/wrong"
expect 2 "redirects" $data fetch one --mirror "$url/loop"
expect 2 "only http and https" $data fetch one --mirror "$url/away"
expect 1 "500" $data fetch one --mirror "$url/broken" --retries 0
expect 1 "" $data fetch one --mirror "http://127.0.0.1:1" --retries 0
expect 2 "does not begin with" $data fetch one --mirror "ftp://x"
nothing faults
[ -z "$(ls -A "$PROCTOR_CACHE/data/set" 2>/dev/null)" ] || fail "leftovers of refused files"

# A part of another file under the same name is not continued; a poisoned one is noticed.
hash=$(sha256sum www/set/one.jsonl | cut -c1-16)
mkdir -p "$PROCTOR_CACHE/data/set"
head -c 150000 /dev/zero > "$PROCTOR_CACHE/data/set/.one.jsonl.$hash.part"
expect 0 "from the beginning" $data fetch one --mirror "$url/ok"
whole poisoned

# A wrong file is told, not used, and replaced only when asked to.
echo other > "$one"
expect 2 "has 6 bytes, expected 200000" $data check one
expect 2 "--replace" $data fetch one --mirror "$url/ok"
expect 0 "" $data fetch one --mirror "$url/ok" --replace
whole replaced
mkdir -p first/set && echo other > first/set/one.jsonl
expect 2 "has 6 bytes" env PROCTOR_DATA="$work/first" $data check one

# Ctrl-C: the part stays, the same command goes on.
$data fetch one --mirror "$url/slow" >out.txt 2>err.txt &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -n "$(find "$PROCTOR_CACHE/data/set" -name '*.part' -size +3k)" ] && break
    sleep 0.1
done
kill -INT $pid
wait $pid
[ $? -eq 3 ] || { cat err.txt; fail "an interrupted fetch does not exit with 3"; }
grep -q "the same command goes on" err.txt || fail "an interrupted fetch does not say that it can go on"
nothing interrupted
expect 0 "" $data fetch one --mirror "$url/ok"
whole "after an interruption"

# Two at once: one of them steps back.
$data fetch one --mirror "$url/slow" >/dev/null 2>&1 &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -n "$(find "$PROCTOR_CACHE/data/set" -name '*.part' -size +3k)" ] && break
    sleep 0.1
done
expect 2 "another process" $data fetch one --mirror "$url/ok"
kill -INT $pid
wait $pid
expect 0 "" $data fetch one --mirror "$url/ok"
whole "two at once"

# No space: a limit on file sizes stands in for a full disk.
(trap '' XFSZ; ulimit -f 64; exec $data fetch one --mirror "$url/ok" >out.txt 2>err.txt)
[ $? -ne 0 ] || fail "a file that does not fit was fetched"
grep -q "cannot write it" err.txt || { cat err.txt; fail "no space: no clear message"; }
nothing "no space"
if mkdir full && mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
    expect 3 "No space left" env PROCTOR_DATA="$work/full" $data fetch one --mirror "$url/ok"
    umount full
else
    echo "SKIP a full disk: no file system can be mounted here"
fi
kill $server
wait $server 2>/dev/null

# A task whose file is missing names the command; what this machine has agrees with the tasks.
printf 'recipe: m\nmodels: {m: {source: %s}}\nstages: [{eval: {models: [m], tasks: [gsm8k]}}]\n' \
    "$(ls "$root"/recipes/models/*.gguf | head -n 1)" > m.yaml
expect 2 'proctor data fetch gsm8k' "$proctor" plan m.yaml
expect 0 "small_code" "$proctor" data check small
expect 2 "gsm8k/train.jsonl" "$proctor" data check --task gsm8k
"$proctor" data list --json | /usr/bin/python3 -c "
import json, sys
d = json.load(sys.stdin)
files = {f['file']: f for s in d['sets'] for f in s['files']}
assert files['small_code.jsonl']['state'] == 'there', files['small_code.jsonl']
assert files['gsm8k/test.jsonl']['state'] == 'missing' and files['gsm8k/test.jsonl']['url'].startswith('https://')
assert not [t for t in d['tasks'] if t['task'] == 'gsm8k'][0]['can_run']
" || fail "list --json"
if [ -d "$PROCTOR_REFERENCE/data" ]; then
    expect 0 "tasks that can run" env PROCTOR_DATA="$PROCTOR_REFERENCE/data" "$proctor" data check
    if grep -q "^wrong" out.txt; then cat out.txt; fail "a file of the catalogue is another one"; fi
else
    echo "SKIP the catalogue against reference data: PROCTOR_REFERENCE is not there"
fi
done_testing
