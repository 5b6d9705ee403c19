#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# Process 1 of a guest: mounts the host's root (read-only by 9p, with a memory layer above that takes the guest's own writes)
# and becomes the agent inside it. Kernel parameters: lab.modules, the directory
# of the guest's modules in the host's tree; lab.network, addresses of its card; lab.rds, whether RDS over TCP is loaded.
b=/bin/busybox
die() {
  echo "lab: $*" >/dev/console
  $b sync
  exit 1 # the end of process 1 panics the guest, which ends QEMU
}
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
for module in /modules/*; do
  case $module in
    *-rds.ko | *-rds_tcp.ko) $b grep -q lab.rds=1 /proc/cmdline || continue ;;
  esac
  $b insmod "$module" || die "insmod $module failed"
done
parameter() {
  $b sed -n "s/.*lab\.$1=\([^ ]*\).*/\1/p" /proc/cmdline
}
$b ip link set lo up
addresses=$(parameter network)
if [ "$addresses" ]; then
  # Early, because the card takes a moment until it passes packets; without accept_dad=0 an IPv6 address takes a second more.
  echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
  for address in $($b echo "$addresses" | $b tr , ' '); do
    $b ip addr add "$address" dev eth0 || die "address $address refused"
  done
  $b ip link set eth0 up
fi
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host /host || die "no 9p root"
$b mount -t tmpfs upper /upper
$b mkdir /upper/data /upper/work
$b mount -t overlay -o lowerdir=/host,upperdir=/upper/data,workdir=/upper/work root /root || die "no overlay"

$b mount -t devtmpfs dev /root/dev
$b mkdir -p /root/dev/pts /root/dev/shm
$b mount -t devpts pts /root/dev/pts
$b mount -t tmpfs shm /root/dev/shm
$b mount -t proc proc /root/proc
$b mount -t sysfs sys /root/sys
$b mount -t tmpfs run /root/run
$b mkdir -p /root/run/lab /root/run/netns /root/lib/modules
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none share /root/run/lab || die "no 9p share"
$b mount -o bind "/host$(parameter modules)" /root/lib/modules
$b cp /bin/busybox /agent /root/run

$b hostname rdsco-guest
while [ "$addresses" ] && [ "$($b cat /sys/class/net/eth0/operstate)" != up ]; do
  $b usleep 10000
done
# chroot of process 1 itself: kernel threads share its root, and load modules by running /sbin/modprobe there.
exec $b chroot /root /run/busybox sh /run/agent
