-- Prosody under rookery-bench: the archive and what waits for users who are away in SQLite. Loopback only, no TLS.
daemonize = false
data_path = "/var/tmp/peers/prosody"
pidfile = "/var/tmp/peers/prosody/prosody.pid"
log = { warn = "/var/tmp/peers/prosody/prosody.log" }
interfaces = { "127.0.0.1" }
c2s_ports = { 15223 }
s2s_ports = { }
http_ports = { }
https_ports = { }
modules_enabled = { "disco"; "roster"; "saslauth"; "register_ibr"; "smacks"; "mam"; "offline"; "posix" }
modules_disabled = { "s2s"; "tls" }
authentication = "internal_plain"
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
allow_registration = true
registration_throttle_max = 0
smacks_max_queue_size = 10000
default_archive_policy = true
network_backend = "epoll"
storage = "sql"
sql = { driver = "SQLite3"; database = "prosody.sqlite" }
VirtualHost "localhost"
Component "conference.localhost" "muc"
	modules_enabled = { "muc_mam" }
