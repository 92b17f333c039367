#!/bin/sh
# Shows how it was called.
[ $# -gt 0 ] || printf '(no arguments)'
for argument; do printf '[%s]' "$argument"; done
echo
