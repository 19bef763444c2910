#!/bin/sh
# Functions that have a bounded or safer twin are not used in the product or its tests' C code.
set -u
words='strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|system|popen|mktemp|tmpnam|alloca|rand|srand|gmtime|localtime|ctime|asctime|strncpy|strncat'
found=$(grep -nEw "($words)[[:space:]]*\(" $(git ls-files '*.c' '*.h') /dev/null | grep -vE '^[^:]*:[0-9]+:[[:space:]]*(/?\*|//)' || true)
[ -z "$found" ] && exit 0
printf 'banned functions:\n%s\n' "$found"
exit 1
