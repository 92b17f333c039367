#!/bin/sh
# Prints what should reach nobody's terminal, on both outputs, and no end of line.
printf '\033[2Jcaf\351\n'
printf 'complaint' >&2
