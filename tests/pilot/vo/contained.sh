#!/bin/sh
# Runs before each job, in the container.
echo "contained $2"
