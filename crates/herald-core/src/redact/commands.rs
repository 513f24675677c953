//! Which programs take a secret, and where: in an option, in a place, behind its name, or from what is
//! piped into them.
//!
//! Tables only; how a command is read stands in `programs.rs`. Options whose own name says that they are
//! secret (`--password x`) need no entry.

/// Which part of a word is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Behind a sign: `name:secret`.
    After(u8),
    /// Behind the last of such a sign: `hmac-sha256:name:secret`.
    AfterLast(u8),
    /// `name/secret@host`
    Oracle,
    /// `name:secret@host`
    Account,
}

/// Programs with the same way of taking a secret in an option.
pub(super) struct Options {
    /// As they are called, in any case of letters.
    pub(super) names: &'static [&'static str],
    /// A word that has to stand before the option.
    pub(super) needs: &'static str,
    pub(super) options: &'static [&'static str],
    /// `-px`
    pub(super) attached: bool,
    /// `-p x`
    pub(super) separate: bool,
    pub(super) part: Part,
}

const fn takes(names: &'static [&'static str], options: &'static [&'static str]) -> Options {
    Options { names, needs: "", options, attached: true, separate: true, part: Part::Whole }
}

const fn attached(names: &'static [&'static str], options: &'static [&'static str]) -> Options {
    Options { separate: false, ..takes(names, options) }
}

const fn separate(names: &'static [&'static str], options: &'static [&'static str]) -> Options {
    Options { attached: false, ..takes(names, options) }
}

const fn after(
    sign: u8,
    names: &'static [&'static str],
    options: &'static [&'static str],
) -> Options {
    Options { part: Part::After(sign), ..takes(names, options) }
}

pub(super) const OPTIONS: &[Options] = &[
    attached(
        &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlshow",
            "mysqlcheck",
            "mysqlsh",
            "mysqlbinlog",
            "mysqlslap",
            "mysqlpump",
            "mysql_upgrade",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
            "mariadb-backup",
            "mariabackup",
            "xtrabackup",
            "innobackupex",
            "mycli",
            "7z",
            "7za",
        ],
        &["-p"],
    ),
    attached(&["rar", "unrar"], &["-hp", "-p"]),
    takes(&["sshpass"], &["-p"]),
    separate(&["redis-cli", "valkey-cli"], &["-a"]),
    after(b':', &["curl"], &["-u", "-U", "--user", "--proxy-user"]),
    after(b':', &["http", "https", "httpie", "check_http"], &["-a", "--auth"]),
    after(b':', &["etcdctl"], &["--user"]),
    after(b'=', &["curl"], &["-b", "--cookie"]),
    after(b',', &["lftp", "open"], &["-u"]),
    takes(
        &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "mongostat",
            "cqlsh",
            "useradd",
            "usermod",
        ],
        &["-p"],
    ),
    separate(
        &[
            "influx",
            "rdesktop",
            "racadm",
            "fence_ipmilan",
            "fence_ilo",
            "fence_idrac",
            "fence_apc",
            "rabbitmqadmin",
            "psexec",
            "check_mysql",
            "check_pgsql",
            "add-user.sh",
            "ncftpput",
            "ncftpget",
            "certutil",
            "twine",
        ],
        &["-p"],
    ),
    Options { needs: "auth", ..separate(&["pcs"], &["-p"]) },
    Options { needs: "pw", ..separate(&["doveadm"], &["-p"]) },
    separate(&["ipa-server-install", "ipa-client-install"], &["-p", "-w", "-a"]),
    takes(
        &[
            "ldapsearch",
            "ldapadd",
            "ldapmodify",
            "ldapdelete",
            "ldapwhoami",
            "ldapcompare",
            "kadmin",
        ],
        &["-w"],
    ),
    separate(&["ldappasswd", "slappasswd"], &["-w", "-s", "-a"]),
    separate(&["pk12util"], &["-W", "-K", "-w"]),
    separate(&["ssh-keygen"], &["-N", "-P"]),
    Options { needs: "enc", ..separate(&["openssl"], &["-k", "-K"]) },
    after(b'%', &["smbclient", "rpcclient", "smbmap", "winexe", "net"], &["-U"]),
    Options {
        needs: "login",
        ..separate(
            &["docker", "podman", "helm", "skopeo", "buildah", "nerdctl", "oc", "az"],
            &["-p"],
        )
    },
    takes(
        &[
            "sqlcmd",
            "bcp",
            "ipmitool",
            "unzip",
            "zip",
            "isql",
            "tsql",
            "mosquitto_pub",
            "mosquitto_sub",
        ],
        &["-P"],
    ),
    takes(
        &[
            "snmpget",
            "snmpwalk",
            "snmpset",
            "snmpbulkwalk",
            "snmpbulkget",
            "snmpgetnext",
            "snmptable",
        ],
        &["-c", "-A", "-X"],
    ),
    separate(&["icinga2"], &["--ticket"]),
    separate(&["kubeadm"], &["--certificate-key"]),
    separate(&["check_snmp"], &["-C"]),
    Options { part: Part::AfterLast(b':'), ..separate(&["nsupdate", "dig", "rndc"], &["-y"]) },
    Options { needs: "keyvault", ..separate(&["az"], &["--value"]) },
    Options { needs: "secret", ..separate(&["gh"], &["--body", "-b"]) },
    Options { needs: "put-parameter", ..separate(&["aws"], &["--value"]) },
    attached(&["cmdkey", "xfreerdp", "wfreerdp", "mstsc"], &["/pass:", "/p:"]),
    attached(&["wmic"], &["/password:"]),
    attached(&["netdom"], &["/passwordd:", "/passwordo:", "/pd:", "/po:"]),
    separate(&["schtasks"], &["/rp", "/p"]),
    separate(&["signtool"], &["/p"]),
    separate(&["convertto-securestring"], &["-string"]),
];

/// Programs whose secret has a fixed place: the plain word behind a subcommand (or behind the program) and
/// so many others.
pub(super) const PLACES: &[(&str, &str, usize)] = &[
    ("rabbitmqctl", "add_user", 1),
    ("rabbitmqctl", "change_password", 1),
    ("rabbitmqctl", "authenticate_user", 1),
    ("mysqladmin", "password", 0),
    ("vault", "login", 0),
    ("vault", "unseal", 0),
    ("vault", "unwrap", 0),
    ("ansible-vault", "encrypt_string", 0),
    ("redis-cli", "auth", 0),
    ("drush", "user:password", 1),
    ("pro", "attach", 0),
    ("openssl", "passwd", 0),
    ("composer", "config", 2),
    ("wpa_passphrase", "", 1),
    ("radtest", "", 1),
    ("radtest", "", 4),
    ("mkpasswd", "", 0),
    ("smbclient", "", 1),
    ("convertto-securestring", "", 0),
    ("createuser", "", 2),
    ("createuser", "", 4),
    ("doveadm", "test", 1),
    ("doveadm", "login", 1),
    ("virsh", "secret-set-value", 1),
    ("samba-tool", "create", 1),
    ("samba-tool", "add", 1),
    ("rclone", "obscure", 0),
    ("etcdctl", "add", 0),
    ("ejabberdctl", "register", 2),
    ("prosodyctl", "register", 2),
    ("zmprov", "ca", 1),
    ("zmprov", "sp", 1),
    ("grafana-cli", "reset-admin-password", 0),
    ("cloudflared", "install", 0),
    ("ngrok", "authtoken", 0),
    ("ngrok", "add-authtoken", 0),
    ("mc", "set", 3),
];

/// Options of these programs that take a value, which is no plain word then.
pub(super) const VALUED: &[&str] =
    &["-m", "-salt", "-S", "-U", "-n", "-c", "-R", "-s", "-A", "-W", "-I", "-D"];

/// Programs to which a secret is given behind its name: `setx DB_PASSWORD x`.
pub(super) const NAMERS: &[&str] = &[
    "setx",
    "etcdctl",
    "consul",
    "augtool",
    "npm",
    "redis-cli",
    "crudini",
    "openstack-config",
    "nmcli",
    "wpa_cli",
    "aws",
    "grafana-cli",
    "ipmitool",
    "sc",
    "sc.exe",
];

/// Programs whose plain words are accounts with a password in them.
pub(super) const ACCOUNTS: &[(&str, Part)] = &[
    ("sqlplus", Part::Oracle),
    ("expdp", Part::Oracle),
    ("impdp", Part::Oracle),
    ("rman", Part::Oracle),
    ("sqlldr", Part::Oracle),
    ("mysqlsh", Part::Account),
];

/// Functions with a secret among their arguments, in lower case.
pub(super) const CALLS: &[(&str, usize)] =
    &[("db.auth", 1), ("changeuserpassword", 1), ("networkcredential", 1), ("crypt.crypt", 0)];

/// Programs that read a secret from what is piped into them, as a text says it.
pub(super) const READERS: &[&str] = &[
    "passwd",
    "chpasswd",
    "smbpasswd",
    "htpasswd",
    "htdigest",
    "saslpasswd2",
    "--stdin",
    "--password-stdin",
    "--with-token",
    "sudo -S",
    "sudo -k -S",
    "cryptsetup",
    "kinit",
    "--passphrase-fd",
    "pw user",
    "vncpasswd",
    "su -",
    "su ",
    "ipa ",
    "realm join",
    "postmap",
    "elasticsearch-keystore",
    "elasticsearch-users",
    "private-key",
    "preshared-key",
    "--auth-user-pass",
    "pass insert",
    "gcloud secrets",
    "docker secret create",
    "podman secret create",
    "gh secret set",
    "wrangler secret put",
    "kubectl create secret",
    "vault kv put",
    "az keyvault secret",
    "systemd-creds encrypt",
    "ansible-vault encrypt_string",
];

/// What the search looks for besides the names above, where these are too short to look for.
pub(super) const SHORT: &[(&str, &str)] = &[
    ("net", "net user "),
    ("net", "net use "),
    ("net", "net ads "),
    ("sc", "sc config "),
    ("sc", "sc create "),
    ("sc.exe", "sc.exe "),
    ("pro", "pro attach "),
    ("rar", "rar a "),
    ("http", "http -a "),
    ("https", "https -a "),
    ("open", "open -u "),
    ("oc", "oc login "),
    ("az", "az login "),
    ("aws", "aws configure "),
    ("aws", "aws ssm "),
    ("bcp", "bcp "),
    ("npm", "npm config "),
    ("zip", "zip -"),
    ("mc", "mc alias set "),
    ("dig", "dig -y "),
    ("gh", "gh secret set "),
    ("az", "az keyvault "),
    ("pcs", "pcs cluster auth "),
    ("pcs", "pcs host auth "),
    ("7z", "7z "),
    ("7za", "7za "),
    ("reg", "reg add "),
];
