#!/bin/sh
# Leaves a child that nobody waits for, and ends.
setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!'
