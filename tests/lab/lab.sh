#!/bin/sh
# The lab needs Debian's python3 with psycopg2; everything else it checks itself.
# usage: lab.sh BUILD [--crash] [--keep]
py=/usr/bin/python3
$py -c 'import psycopg2' 2>/dev/null || { echo "lab: psycopg2 is missing: apt-get install python3-psycopg2" >&2; exit 1; }
exec $py "$(dirname "$0")/lab.py" "$@"
