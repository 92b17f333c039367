#!/bin/sh
# Starts children that leave its process group: one whose parent stays, and one whose parent ends. Tells all
# numbers, and never ends.
setsid sleep 1000 &
stays=$!
orphan=$(setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!')
echo $$ $stays $orphan
wait
