#!/bin/sh
# Starts a child, tells both numbers, and never ends.
sleep 1000 &
echo $$ $!
wait
