#!/bin/sh
# Runs first inside an emulated kernel: inside.sh RESULTS MODULES COMMAND...
# The guest's root is the host's, read-only, by 9p without a cache: starting Python takes 40 s.
# The same files by a second 9p with a cache (boot.py exports it) take a quarter of that.
set -eu
results=$1 modules=$2
shift 2
root=/mnt
mount -t 9p -o ro,trans=virtio,version=9p2000.L,access=any,msize=524288,cache=loose cached $root
for folder in proc sys dev run; do
    mount --rbind /$folder $root/$folder
done
mount -t bpf bpf $root/sys/fs/bpf
mount --bind "$results" "$root$results"
mkdir /run/scratch
# No device node, no automatic loading.
# shellcheck disable=SC2086  # a list of words
modprobe -a $modules
exec chroot $root env --chdir="$PWD" TMPDIR=/run/scratch \
    HYPOTHESIS_STORAGE_DIRECTORY=/run/scratch/hypothesis PYTHONDONTWRITEBYTECODE=1 "$@"
