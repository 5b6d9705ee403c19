# SPDX-License-Identifier: BSD-2-Clause
# Process 1 of a guest once it is up. Reads orders from the control port, one a line:
#   run ID          runs /run/lab/jobs/ID/command beside whatever else runs; answers "done ID STATUS"
#   signal ID NAME  sends a signal to the process group of that command
#   shell           an interactive shell on /dev/hvc0; answers "done shell STATUS"
# and says "up" when it starts.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=${TERM:-linux}
for port in /sys/class/virtio-ports/*; do
  if [ "$(cat "$port/name")" = rdsco.control ]; then
    control=/dev/${port##*/}
  fi
done
exec 3<>"$control"

run() {
  job=/run/lab/jobs/$1
  # The status is sent after the last write: files of the share are written through to the host.
  setsid /bin/sh "$job/command" >>"$job/stdout" 2>>"$job/stderr" </dev/null 3<&-
  echo "done $1 $?" >&3
}

shell() {
  cd /
  setsid -c bash -i </dev/hvc0 >/dev/hvc0 2>&1 3<&-
  echo "done shell $?" >&3
}

echo up >&3
while read -r order id argument <&3; do
  case $order in
    run) run "$id" & ;;
    signal) kill -"$argument" -"$(cat "/run/lab/jobs/$id/pid")" ;;
    shell) shell & ;;
  esac
done
