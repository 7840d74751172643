# The relay of kubectl rotate. It runs in the server's container and joins its own stdin and stdout to the server,
# with the first program found that can: most faithful first. It is an argument of the exec request, so it is fixed
# and holds no secret; comment lines and indentation are taken out before it is sent.
#
# What each must do: carry bytes both ways as they are; end when the server hangs up; pass the end of stdin on to the
# server and end soon after; and leave no process behind. The last is not tidiness: PostgreSQL up to 16, when it is
# the container's first process, inherits orphans and takes one that dies of a signal for a crashed backend, upon
# which it ends every session. So: one process where possible, children waited for, SIGPIPE never fatal to a child.
#
# $1 is tcp or unix, $2 the host or the path, $3 the port.
network=$1 host=$2 port=$3
found() { command -v "$1" >/dev/null 2>&1; }
begin() { echo "kubectl-rotate relay: $1"; }

# To a Unix socket it connects as the socket's owner: where the container runs as root, the server (peer) knows only its own user.
as=
if [ "$network" = unix ] && found id && found stat && [ "$(id -u)" = 0 ]; then
  owner=$(stat -c %u "$host" 2>/dev/null) group=$(stat -c %g "$host" 2>/dev/null)
  if [ "${owner:-0}" = 0 ]; then :
  elif found setpriv; then as="setpriv --reuid=$owner --regid=$group --clear-groups --"
  elif found gosu; then as="gosu $owner:$group"
  elif found su-exec; then as="su-exec $owner:$group"
  fi
  if [ "$as" ] && ! $as true 2>/dev/null; then as=; fi
fi

if found perl && perl -MSocket -MErrno -e 1 2>/dev/null; then
  begin perl
  exec $as perl -MSocket -MErrno=EAGAIN -e '
    my ($network, $host, $port) = @ARGV;
    my $unix = $network eq "unix";
    $SIG{PIPE} = "IGNORE";
    socket(my $s, $unix ? PF_UNIX : PF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    connect($s, $unix ? sockaddr_un($host) : sockaddr_in($port, inet_aton($host))) or die "connect to $host: $!\n";
    my ($up, $down, $in, $net) = ("", "", 1, 1);
    while ($net || length $down) {
      my ($r, $w) = ("", "");
      vec($r, 0, 1) = 1 if $in && !length $up;
      vec($w, 1, 1) = 1 if length $down;
      vec($r, fileno $s, 1) = 1 if $net && !length $down;
      vec($w, fileno $s, 1) = 1 if length $up;
      select($r, $w, undef, $in ? undef : 5) or last;
      if (vec($w, fileno $s, 1)) {
        my $n = send($s, $up, MSG_DONTWAIT);
        if (defined $n) { substr($up, 0, $n) = "" } elsif ($! != EAGAIN) { $up = ""; $in = 0 }
      }
      if (vec($w, 1, 1)) {
        my $n = syswrite(STDOUT, $down, 4096) or last;
        substr($down, 0, $n) = "";
      }
      if (vec($r, 0, 1) && !sysread(STDIN, $up, 65536)) { $in = 0; shutdown($s, 1) }
      if (vec($r, fileno $s, 1) && !sysread($s, $down, 65536)) { $net = 0 }
    }
  ' "$network" "$host" "$port"
fi

if found python3; then
  begin python3
  exec $as python3 -c '
import os, socket, sys, threading, time
network, host, port = sys.argv[1:]
try:
  if network == "unix":
    s = socket.socket(socket.AF_UNIX)
    s.connect(host)
  else:
    s = socket.create_connection((host, int(port)))
except OSError as e:
  sys.exit("connect to %s: %s" % (host, e))
def up():
  try:
    while True:
      data = os.read(0, 65536)
      if not data: break
      s.sendall(data)
    s.shutdown(socket.SHUT_WR)
  except OSError: return
  time.sleep(5)
  os._exit(0)
threading.Thread(target=up, daemon=True).start()
try:
  while True:
    data = s.recv(65536)
    if not data: break
    while data: data = data[os.write(1, data):]
except OSError: pass
os._exit(0)
' "$network" "$host" "$port"
fi

# socat waits as long for one direction after the other has ended, whichever is first.
if found socat; then
  begin socat
  if [ "$network" = unix ]; then exec $as socat -t 2 STDIO "UNIX-CONNECT:$host"; fi
  exec socat -t 2 STDIO "TCP:$host:$port"
fi

# bash can't shut down one direction of a socket: after the end of stdin the server has a second or two to finish, by a
# third process that waits without a child of its own. (wait -n would do, but misses who has ended before it.)
if [ "$network" = tcp ] && found bash && found cat; then
  begin bash
  exec bash -c '
    trap "" PIPE
    exec 3<>"/dev/tcp/$1/$2" || exit 1
    exec 4<&0 5<> <(:)
    cat <&4 >&3 & up=$!
    cat <&3 & down=$!
    { while kill -0 $up; do read -t 1 <&5; done; read -t 1 <&5; kill $down; } >/dev/null 2>&1 & end=$!
    wait $down
    kill $up $end 2>/dev/null
    wait
    exit 0
  ' relay "$host" "$port"
fi

# netcat has many makes. Most never end by themselves when a server does not answer the end of stdin; ncat and the
# OpenBSD one notice a server that hangs up only at the next write, so they come last.
make=none
if found nc; then
  case $(nc -h 2>&1 </dev/null) in
  *BusyBox*) make=busybox ;;
  *Ncat*) make=ncat ;;
  *OpenBSD* | *-46*) make=openbsd ;;
  *v1.1*) make=traditional ;;
  esac
fi
if [ "$network" = tcp ]; then
  if [ $make = traditional ]; then begin "nc (traditional)"; exec nc -q 5 "$host" "$port"; fi
  if [ $make = busybox ]; then begin "nc (busybox)"; exec nc "$host" "$port"; fi
fi
if [ $make = ncat ] || found ncat; then
  begin ncat
  if found ncat; then nc=ncat; else nc=nc; fi
  if [ "$network" = unix ]; then exec $as $nc -U "$host"; fi
  exec $nc "$host" "$port"
fi
if [ $make = openbsd ]; then
  begin "nc (openbsd)"
  if [ "$network" = unix ]; then exec $as nc -N -U "$host"; fi
  exec nc -N -v "$host" "$port"
fi

echo "the container has none of perl, python3, socat, bash, nc, ncat that could relay to $network $host $port" >&2
exit 69
