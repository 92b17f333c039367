#!/usr/bin/env bash
# A room of lab machines on one: each with its own address, host name, /tmp, homes, processes and OpenSSH
# server, and one more, the hub, to launch from. README.md tells how to use it.
#
#   testbed.sh install         install the Debian packages that it needs, and axe-core by npm
#   testbed.sh up N            start the hub and the machines lab01 ... labNN, N up to 99
#   testbed.sh hold N          the same, and take all down again when standard input ends
#   testbed.sh down            end everything
#   testbed.sh status          the machines, their addresses, and whether they run
#   testbed.sh run COMMAND...  run a command on the hub
#   testbed.sh on I COMMAND... run a command on machine I, as its root, without SSH
#   testbed.sh cut I           pull the network cable of machine I
#   testbed.sh heal I          put it back
#   testbed.sh part I J        let nothing through between machines I and J; the hub still reaches both
#   testbed.sh join            undo every `part`
#   testbed.sh crash I         switch machine I off, without a goodbye to anybody
#   testbed.sh boot I          switch it on again; its disks are as they were
#   testbed.sh rekey I         give it another host key, as if it had been installed anew
#
# TESTBED_DIR is the folder of a room (default /tmp/testbed): another folder is another room, and rooms know
# nothing of each other. TESTBED_NET is the network inside (default 10.77.0); rooms may have the same.
# TESTBED_SSHD is added to the configuration of every SSH server, such as "MaxStartups 100".
#
# Everything is made of Linux namespaces and of processes that hold them. Nothing is added to the network of
# the machine itself, and when the processes have ended the kernel has forgotten the room.
set -euo pipefail

DIR=${TESTBED_DIR:-/tmp/testbed}
NET=${TESTBED_NET:-10.77.0}
SELF=$(readlink -f "$0")
SSHD=/usr/sbin/sshd # by its whole path, for it starts itself again
PACKAGES=(finger fingerd iproute2 mutt netbase netcat-openbsd nftables openbsd-inetd openssh-client openssh-server procps util-linux)
AXE=axe-core@4.14.1 # a package of npm, under the MPL 2.0
STUDENT=2000 # the user id of the user "student"

name() { printf 'lab%02d' "$1"; }
address() { echo "$NET.$((10 + $1))"; }
all() { seq 1 "$(cat "$DIR/n")"; }
fail() { echo "testbed: $*" >&2; exit 2; }

# The process that holds the namespaces of a machine, if it lives. That its command line names our folder
# tells it from a stranger to whom its number was given since.
holder() {
  local pid
  pid=$(cat "$DIR/$1/pid" 2>/dev/null) || return 1
  { tr '\0' '\n' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qxF "$DIR" || return 1
  echo "$pid"
}

need() { holder "$1" || fail "$1 does not run; see: $SELF status"; }

in_hub_network() {
  local pid
  pid=$(need hub) || return
  nsenter -t "$pid" --net -- "$@"
}

# -------------------------------------------------------------------------------------------------------------
# Inside a machine

# What a machine does first, in its own namespaces: give itself a name and disks, and then stay.
inside() {
  local name=$1
  local own=$DIR/$name
  hostname "$name"
  mount --make-rprivate /
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/sshd /run/testbed /mnt/lab # sshd does not start without /run/sshd
  mount --bind "$own" /run/testbed         # the folder itself may be hidden by what follows
  mount -t tmpfs tmpfs /var/log
  mount --bind "$DIR/shared" /mnt/lab
  mount --bind "$DIR/hosts" /etc/hosts
  add_student
  mount --bind /run/testbed/home /home
  mount --bind /run/testbed/root /root
  mount --bind /run/testbed/tmp /tmp
  cd /
  touch /run/testbed/ready
  if [ "$name" = hub ]; then
    sleep infinity &
    wait # and not `exec`: this command line names the folder, see `holder`
    return
  fi
  # The network is plugged in from outside.
  until ip -o -4 address show dev eth0 2>/dev/null | grep -q inet; do sleep 0.01; done
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "$SSHD" -D -e -f /run/testbed/sshd_config 2>>/run/testbed/sshd.log &
  # This is process 1 of the machine, and adopts its daemons: bash buries every child that dies.
  wait $!
}

# A password of "*" only forbids passwords; with "!" the server would take the account for locked.
add_student() {
  local file
  for file in passwd shadow group; do
    grep -v '^student:' "/etc/$file" >"/run/testbed/$file" || true
    chmod --reference="/etc/$file" "/run/testbed/$file"
  done
  echo "student:x:$STUDENT:$STUDENT:Student:/home/student:/bin/bash" >>/run/testbed/passwd
  echo 'student:*:19000:0:99999:7:::' >>/run/testbed/shadow
  echo "student:x:$STUDENT:" >>/run/testbed/group
  for file in passwd shadow group; do mount --bind "/run/testbed/$file" "/etc/$file"; done
}

# -------------------------------------------------------------------------------------------------------------
# Switching machines on and off

# Starts a machine, with these namespaces beside those that all have. Its own session keeps the Ctrl-C of the
# terminal away from it.
start() {
  local name=$1 pid
  shift
  rm -f "$DIR/$name/ready"
  setsid unshare --net --mount --uts --ipc "$@" bash "$SELF" _inside "$DIR" "$NET" "$name" \
    </dev/null >>"$DIR/$name/log" 2>&1 &
  pid=$!
  disown
  echo "$pid" >"$DIR/$name/pid"
  wait_until "$name did not start" test -e "$DIR/$name/ready"
}

start_hub() {
  start hub
  in_hub_network ip link set lo up
  # No spanning tree: a port forwards at once.
  in_hub_network ip link add br0 type bridge forward_delay 0 stp_state 0
  in_hub_network ip address add "$NET.1/24" dev br0
  in_hub_network ip link set br0 up
}

# Starts machine I and plugs it in. Its processes are in a PID namespace, so that they all end with the first.
start_machine() {
  local name pid
  name=$(name "$1")
  start "$name" --pid --fork --kill-child --mount-proc
  pid=$(need "$name")
  in_hub_network ip link add "$name" type veth peer name eth0 netns "$pid"
  in_hub_network ip link set "$name" master br0 up
  nsenter -t "$pid" --net -- ip link set lo up
  nsenter -t "$pid" --net -- ip link set eth0 up
  nsenter -t "$pid" --net -- ip address add "$(address "$1")/24" dev eth0
}

# Ends a machine at once. SIGKILL: `unshare --fork` ignores milder signals, and --kill-child makes the
# machine's process 1 follow it, and the kernel all the others.
halt() {
  local pid
  pid=$(holder "$1") || return 0
  kill -9 "$pid" 2>/dev/null || true
  wait_until "$1 does not end" gone "$pid"
}

gone() {
  local state
  state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 0 # Z: nobody has buried it
  [ "$state" = Z ]
}

# Waits, up to 20 s, until a command succeeds.
wait_until() {
  local otherwise=$1 tries=2000
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "$otherwise; see the log files in $DIR"
    sleep 0.01
  done
}

answers() {
  in_hub_network bash -c "exec 3<>/dev/tcp/$1/22 && head -c 4 <&3" 2>/dev/null | grep -q SSH-
}

wait_for_sshd() { wait_until "no SSH server on $(name "$1")" answers "$(address "$1")"; }

# -------------------------------------------------------------------------------------------------------------
# The room

up() {
  local n=$1 i
  [ "$(id -u)" = 0 ] || fail "only root can make namespaces; try sudo"
  [[ $n =~ ^[1-9][0-9]?$ ]] || fail "how many machines? 1 to 99"
  check_tools
  mkdir -p "$DIR/shared"
  chmod 777 "$DIR/shared"
  echo "$n" >"$DIR/n"
  prepare_disks
  start_hub
  for i in $(all); do start_machine "$i"; done
  for i in $(all); do wait_for_sshd "$i"; done
}

check_free() {
  [ ! -e "$DIR/n" ] || fail "there is a room in $DIR already; see: $SELF status, and: $SELF down"
}

check_tools() {
  local tool
  for tool in ip nft ssh-keygen "$SSHD" pgrep unshare nsenter; do
    command -v "$tool" >/dev/null || fail "$tool is missing; try: $SELF install"
  done
}

# The disks of all machines. One key, which may log in everywhere as root and as student, lies in every home,
# so that one machine can start processes on the next; so do the host keys of all.
prepare_disks() {
  local i name own user
  ssh-keygen -q -t ed25519 -N '' -C testbed -f "$DIR/id_ed25519"
  printf '127.0.0.1 localhost\n%s hub\n' "$NET.1" >"$DIR/hosts"
  for i in $(all); do
    mkdir -p "$DIR/$(name "$i")"
    echo "$(address "$i") $(name "$i")" >>"$DIR/hosts"
    make_host_key "$i"
    echo "$(name "$i"),$(address "$i") $(cut -d' ' -f1,2 "$DIR/$(name "$i")/hostkey.pub")" >>"$DIR/known_hosts"
    configure_sshd "$i"
  done
  for name in hub $(for i in $(all); do name "$i"; echo; done); do
    own=$DIR/$name
    mkdir -p "$own/tmp" "$own/root" "$own/home/student"
    chmod 1777 "$own/tmp"
    for user in "$own/root" "$own/home/student"; do
      mkdir -m 700 "$user/.ssh"
      cp "$DIR/id_ed25519" "$DIR/id_ed25519.pub" "$DIR/known_hosts" "$user/.ssh"
      cp "$DIR/id_ed25519.pub" "$user/.ssh/authorized_keys"
      chmod 700 "$user"
    done
    chown -R "$STUDENT:$STUDENT" "$own/home/student"
  done
}

make_host_key() {
  local own
  own=$DIR/$(name "$1")
  rm -f "$own/hostkey" "$own/hostkey.pub"
  ssh-keygen -q -t ed25519 -N '' -C "$(name "$1")" -f "$own/hostkey"
}

# What is not said is as usual, MaxStartups and MaxSessions above all.
configure_sshd() {
  cat >"$DIR/$(name "$1")/sshd_config" <<END
ListenAddress $(address "$1")
HostKey /run/testbed/hostkey
PidFile none
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
LogLevel VERBOSE
${TESTBED_SSHD:-}
END
}

down() {
  local i pid
  [ -e "$DIR/n" ] || return 0
  for i in $(all); do halt "$(name "$i")"; done
  # Whoever is in the network of the hub was started there.
  if pid=$(holder hub); then
    for pid in $(in_network_of "$pid"); do kill -9 "$pid" 2>/dev/null || true; done
  fi
  rm -rf "$DIR"
}

# The processes in the same network as a process.
in_network_of() {
  local network entry
  network=$(readlink "/proc/$1/ns/net")
  for entry in /proc/[0-9]*; do
    [ "$(readlink "$entry/ns/net" 2>/dev/null)" = "$network" ] && echo "${entry#/proc/}"
  done
  true
}

status() {
  local i name
  [ -e "$DIR/n" ] || fail "there is no room in $DIR; try: $SELF up 4"
  printf '%-6s %-12s %s\n' hub "$NET.1" "$(holder hub >/dev/null && echo up || echo down)"
  for i in $(all); do
    name=$(name "$i")
    printf '%-6s %-12s %s\n' "$name" "$(address "$i")" "$(holder "$name" >/dev/null && echo up || echo down)"
  done
}

# -------------------------------------------------------------------------------------------------------------
# Commands and faults

# Replaces this process, so that who started it can send signals to the command.
run_on_hub() {
  local pid
  pid=$(need hub)
  cd /
  exec nsenter -t "$pid" --net --mount --uts --ipc -- \
    env -u SSH_AUTH_SOCK -u SUDO_USER HOME=/root USER=root LOGNAME=root "$@"
}

run_on_machine() {
  local holder first
  holder=$(need "$(name "$1")")
  first=$(pgrep -P "$holder")
  shift
  exec nsenter -t "$first" --net --mount --uts --ipc --pid -- env HOME=/root USER=root LOGNAME=root "$@"
}

# Drops what the bridge would carry between two of its ports, in either direction.
part() {
  in_hub_network nft -f - <<END
add table bridge testbed
add chain bridge testbed between { type filter hook forward priority 0; policy accept; }
add rule bridge testbed between iifname "$(name "$1")" oifname "$(name "$2")" drop
add rule bridge testbed between iifname "$(name "$2")" oifname "$(name "$1")" drop
END
}

# The cable first: the kernel would say goodbye for the processes that it ends.
crash() {
  in_hub_network ip link delete "$(name "$1")"
  halt "$(name "$1")"
}

boot() {
  ! holder "$(name "$1")" >/dev/null || fail "$(name "$1") runs already"
  start_machine "$1"
  wait_for_sshd "$1"
}

install() {
  apt-get -qq update
  # Installing a server usually starts it, and here none is wanted.
  local policy=/usr/sbin/policy-rc.d ours=
  if [ ! -e $policy ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
  fi
  DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "${PACKAGES[@]}" >/dev/null
  [ -z "$ours" ] || rm -f $policy
  # The rules of accessibility that the browser tests ask. Nothing of it is run here.
  command -v npm >/dev/null || apt-get -qq install --no-install-recommends npm >/dev/null
  npm install --global --ignore-scripts --no-audit --no-fund --silent "$AXE"
}

# The machine that a command is about.
machine() {
  [ -e "$DIR/n" ] || fail "there is no room in $DIR; try: $SELF up 4"
  all | grep -qxF -- "${1:-}" || fail "which machine? 1 to $(cat "$DIR/n")"
  echo "$1"
}

case "${1:-}" in
  install) install ;;
  up)
    check_free
    trap down EXIT # half a room is of no use
    up "${2:-}"
    trap - EXIT
    ;;
  hold)
    check_free
    trap '' INT
    trap down EXIT
    up "${2:-}"
    echo up
    cat >/dev/null
    ;;
  down) down ;;
  status) status ;;
  run) shift; run_on_hub "$@" ;;
  on) i=$(machine "${2:-}"); shift 2; run_on_machine "$i" "$@" ;;
  cut) i=$(machine "${2:-}"); in_hub_network ip link set "$(name "$i")" down ;;
  heal) i=$(machine "${2:-}"); in_hub_network ip link set "$(name "$i")" up ;;
  part) i=$(machine "${2:-}"); j=$(machine "${3:-}"); part "$i" "$j" ;;
  join) in_hub_network nft delete table bridge testbed 2>/dev/null || true ;;
  crash) i=$(machine "${2:-}"); crash "$i" ;;
  boot) i=$(machine "${2:-}"); boot "$i" ;;
  rekey) i=$(machine "${2:-}"); crash "$i"; make_host_key "$i"; boot "$i" ;;
  _inside) DIR=$2; NET=$3; inside "$4" ;;
  *) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p}' "$0"; exit 2 ;;
esac
