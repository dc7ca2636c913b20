"""Names of services that stand for ports in input: `tcp/ssh` is `tcp/22`. Pure table.

A table of our own rather than /etc/services: the same sentence means the same on every host, in a
container without that file too, and in a file that is copied. What is printed is always the number.
Names are those of IANA's registry "Service Name and Transport Protocol Port Number", and of what
has none there or is known by another.
"""

from __future__ import annotations

from types import MappingProxyType

_BY_PORT: dict[int, str] = {
    20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 43: "whois", 49: "tacacs",
    53: "dns domain", 67: "dhcp bootps", 68: "dhcp-client bootpc", 69: "tftp", 80: "http",
    88: "kerberos", 110: "pop3", 111: "rpcbind sunrpc", 119: "nntp", 123: "ntp",
    137: "netbios netbios-ns", 138: "netbios-dgm", 139: "netbios-ssn", 143: "imap imap2",
    161: "snmp", 162: "snmp-trap", 179: "bgp", 319: "ptp-event", 320: "ptp-general", 389: "ldap",
    443: "https", 445: "smb microsoft-ds", 465: "smtps submissions", 500: "ike isakmp",
    514: "syslog", 515: "printer", 520: "rip", 546: "dhcpv6-client", 547: "dhcpv6-server",
    554: "rtsp", 587: "submission", 631: "ipp", 636: "ldaps", 646: "ldp", 853: "dns-over-tls",
    873: "rsync", 989: "ftps-data", 990: "ftps", 993: "imaps", 995: "pop3s", 1194: "openvpn",
    1433: "mssql ms-sql-s", 1521: "oracle", 1701: "l2tp", 1812: "radius", 1813: "radius-acct",
    1883: "mqtt", 1900: "ssdp", 2049: "nfs", 2379: "etcd", 3260: "iscsi", 3306: "mysql",
    3389: "rdp", 3478: "stun", 3784: "bfd", 4500: "ipsec-nat", 4789: "vxlan", 5060: "sip",
    5061: "sips", 5353: "mdns", 5355: "llmnr", 5432: "postgresql", 5672: "amqp", 5900: "vnc",
    6081: "geneve", 6379: "redis", 6443: "kubernetes", 8080: "http-alt", 8883: "mqtts",
    9090: "prometheus", 9200: "elasticsearch", 11211: "memcached", 27017: "mongodb",
    51820: "wireguard",
}  # fmt: skip

SERVICES = MappingProxyType({port: names.split()[0] for port, names in _BY_PORT.items()})
"""The name by which completion finds a port."""
SERVICE_PORTS = MappingProxyType(
    {name: port for port, names in _BY_PORT.items() for name in names.split()}
)
"""Every name that is read."""
