# Run in the booted root, before it becomes the emulated machine's disk: what an administrator does once.
set -eu
for iface in fast0 slow0 stuck0; do
    ip link add "$iface" type veth peer name "peer-$iface"
done
ip link add br0 type bridge
xdpwall attach br0
xdpwall attach fast0
xdpwall attach slow0
# The machine's driver for it has no native mode: the boot has to tell of an interface that is not filtered.
xdpwall attach stuck0 --mode native
for iface in br0 fast0 slow0 stuck0; do
    xdpwall rule add drop icmp on "$iface" --id "$iface"
done
systemctl stop xdpwall.socket xdpwall.service
