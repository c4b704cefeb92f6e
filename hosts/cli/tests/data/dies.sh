#!/bin/sh
# A driver that ends with a signal, as after a crash of its plugin.
read -r line
kill -SEGV $$
