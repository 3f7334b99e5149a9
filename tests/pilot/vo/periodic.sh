#!/bin/bash
echo "VO_Looked = True"
