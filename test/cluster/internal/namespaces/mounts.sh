# Run once, inside the new mount namespace, with the cluster's private folder as $1.
# As after a start of the machine, nothing is in /run: no container has outlived the namespace before this one.
rm -rf "$1/run"
# The kubelet and containerd write to these places whatever they are told: they get folders of the cluster's own.
for place in /run/containerd /var/lib/cni /var/lib/kubelet /var/log/containers; do
	mkdir -p "$place" "$1$place"
	mount --bind "$1$place" "$place"
done
# The kubelet sets these kernel parameters, which are not divided into namespaces, for the whole machine. Here it finds
# plain files in their place that say what it wants, and leaves the machine alone.
while read -r parameter value; do
	file="$1/sysctl/$parameter"
	mkdir -p "${file%/*}"
	echo "$value" >"$file"
	mount --bind "$file" "/proc/sys/$parameter"
done <<END
kernel/keys/root_maxbytes 25000000
kernel/keys/root_maxkeys 1000000
kernel/panic 10
kernel/panic_on_oops 1
vm/overcommit_memory 1
vm/panic_on_oom 0
END
