#!/usr/bin/env python3
"""An independent check of proof files (docs/checkpoints.md): the standard library, and the openssl
command for Ed25519. It shares no code with core/; tests compare the two.

usage: verify_proof.py FILE KEY    KEY: engine.pub, a file of it, or a verifier key
exit: 0 proven, 1 not, 2 unreadable or wrong use"""
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile


class No(Exception):
    """The answer is no."""


class Unreadable(Exception):
    """No proof, or no key."""


def sha256(data):
    return hashlib.sha256(data).digest()


def node(left, right):
    return sha256(b"\x01" + left + right)


def unbase64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as e:
        raise Unreadable(f"base64: {e}") from e
    if base64.b64encode(raw).decode() != text:
        raise Unreadable("base64: another spelling")
    return raw


def number(text):
    if not text.isascii() or not text.isdigit() or (len(text) > 1 and text[0] == "0"):
        raise Unreadable(f"no number: {text!r}")
    return int(text)


def inclusion_root(leaf, index, size, path):
    """The root that the path leads to, by RFC 6962's definition of PATH, from the top."""
    if size == 1:
        if path:
            raise No("too many hashes")
        return leaf
    if not path:
        raise No("too few hashes")
    k = 1
    while k * 2 < size:
        k *= 2
    if index < k:
        return node(inclusion_root(leaf, index, k, path[:-1]), path[-1])
    return node(path[-1], inclusion_root(leaf, index - k, size - k, path[:-1]))


def consistency_roots(old, size, path, old_root, whole=True):
    """(old root, new root) by RFC 6962's definition of SUBPROOF, from the top."""
    if old == size:
        if whole:
            if path:
                raise No("too many hashes")
            return old_root, old_root
        if len(path) != 1:
            raise No("the wrong number of hashes")
        return path[0], path[0]
    if not path:
        raise No("too few hashes")
    k = 1
    while k * 2 < size:
        k *= 2
    if old <= k:
        a, b = consistency_roots(old, k, path[:-1], old_root, whole)
        return a, node(b, path[-1])
    a, b = consistency_roots(old - k, size - k, path[:-1], old_root, False)
    return node(path[-1], a), node(path[-1], b)


def ed25519(key, message, signature):
    der = bytes.fromhex("302a300506032b6570032100") + key
    with tempfile.TemporaryDirectory() as d:
        names = {n: os.path.join(d, n) for n in ("key", "message", "signature")}
        for n, data in (("key", der), ("message", message), ("signature", signature)):
            with open(names[n], "wb") as f:
                f.write(data)
        r = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", names["key"],
                            "-rawin", "-in", names["message"], "-sigfile", names["signature"]],
                           capture_output=True, check=False)
    return r.returncode == 0


def read_key(text):
    """(name or None, public key)"""
    if text.startswith("ssh-ed25519 "):
        blob = unbase64(text.split()[1])
        return None, blob[-32:]
    name, ident, rest = text.strip().split("+", 2)
    typed = unbase64(rest)
    if typed[0] != 1 or len(typed) != 33 or sha256(name.encode() + b"\n" + typed)[:4].hex() != ident:
        raise Unreadable("no verifier key of a log")
    return name, typed[1:]


def open_checkpoint(note, key):
    """(origin, size, root) of a note that the log signed with the key."""
    try:
        text, signatures = note.decode().rsplit("\n\n", 1)
    except (UnicodeDecodeError, ValueError) as e:
        raise Unreadable("no note") from e
    text += "\n"
    lines = text.split("\n")
    if len(lines) < 4 or not signatures.endswith("\n"):
        raise Unreadable("no checkpoint")
    origin, size, root = lines[0], number(lines[1]), unbase64(lines[2])
    name, public = key
    ident = sha256(origin.encode() + b"\n\x01" + public)[:4]
    for line in signatures[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014":
            raise Unreadable("no signature line")
        raw = unbase64(parts[2])
        if parts[1] == origin and raw[:4] == ident and (name is None or name == origin):
            if not ed25519(public, text.encode(), raw[4:]):
                raise No("the signature is not good")
            return origin, size, root
    raise No("not signed by the key")


def check_receipt(line, index, origin):
    """The leaf's hash."""
    tail = len(',"hash":""}') + 64
    covered = line[:-tail] + b"}"
    leaf = sha256(b"\x00" + covered)
    if line[-tail:].decode(errors="replace") != f',"hash":"{leaf.hex()}"}}':
        raise No("the receipt is not as it was written")
    r = json.loads(covered)
    if r["seq"] != index or not origin.endswith("/" + r["chain"]):
        raise No("another receipt")
    return leaf


def check(data, key):
    head, sep, note = data.partition(b"\n\n")
    lines = head.decode("ascii", errors="replace").split("\n")
    if not sep:
        raise Unreadable("no proof")
    word = {"c2sp.org/tlog-proof@v1": "index ", "warroom/consistency-proof@v1": "old "}.get(lines.pop(0))
    if not word or not lines or not lines[0].startswith("extra "):
        raise Unreadable("no proof, or without its extra data")
    extra = unbase64(lines.pop(0)[6:])
    if not lines or not lines[0].startswith(word):
        raise Unreadable("no number")
    at = number(lines.pop(0)[len(word):])
    path = [unbase64(x) for x in lines]
    origin, size, root = open_checkpoint(note, key)
    if word == "index ":
        if at >= size or inclusion_root(check_receipt(extra, at, origin), at, size, path) != root:
            raise No("the hashes do not lead to the root")
        return f"receipt {at} is in the log {origin} of {size} receipts"
    old_origin, old_size, old_root = open_checkpoint(extra, key)
    if old_origin != origin or old_size != at or not 1 <= at <= size:
        raise No("another log, or another size")
    if consistency_roots(at, size, path, old_root) != (old_root, root):
        raise No("the hashes do not lead to the roots")
    return f"the log {origin} of {size} receipts begins with the one of {at}"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        key = sys.argv[2]
        if os.path.exists(key):
            with open(key, encoding="utf-8") as f:
                key = f.read()
        with open(sys.argv[1], "rb") as f:
            data = f.read()
        print("Proven:", check(data, read_key(key)))
        return 0
    except No as e:
        print("Not proven:", e)
        return 1
    except (Unreadable, OSError, ValueError, KeyError) as e:
        print("Unreadable:", e, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
