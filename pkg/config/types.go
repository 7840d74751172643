package config

// APIVersion is the version of the file's schema that this package reads.
const APIVersion = "kubectl-rotate/v1alpha1"

// Config is a targets file.
type Config struct {
	// APIVersion is kubectl-rotate/v1alpha1. Required in a file.
	APIVersion string `yaml:"apiVersion"`
	// Protected are patterns of contexts whose name has to be typed before anything begins: "*prod*", where * stands for any letters.
	// Default: none.
	Protected []string `yaml:"protected,omitempty"`
	// Targets are what can be rotated, each under a name of its own.
	Targets []Target `yaml:"targets"`
}

// Target is one credential: where it is kept, what accepts it, and when it is due.
type Target struct {
	// Name is what the target is called on the command line. Required; lower-case letters, digits and hyphens.
	Name string `yaml:"name"`
	// Kind is what accepts the credential: postgres, redis or jwt. Required.
	Kind Kind `yaml:"kind"`
	// Namespace is where the Secret and its consumers are. Default: the namespace of the kubeconfig's context.
	Namespace string `yaml:"namespace,omitempty"`
	// Secret is the Secret that the application reads.
	Secret Secret `yaml:"secret,omitempty"`
	// Also are other Secrets that hold the same login. They are written together with the first, which stays
	// the one that is looked at.
	Also []Secret `yaml:"also,omitempty"`
	// Consumers are workloads to roll beside those that are found because their pods refer to the Secret,
	// each as kind/name: deployment/backend. For those that read the Secret through the API.
	Consumers []string `yaml:"consumers,omitempty"`
	// Ignore are places that look as if they held the same login and have nothing to do with it: secret/NAME,
	// configmap/NAME/KEY, or a variable of a workload, as deployment/NAME/VARIABLE.
	Ignore []string `yaml:"ignore,omitempty"`
	// Owner is who is asked when the rotation is overdue, a team for example. Default: SRE.
	Owner string `yaml:"owner,omitempty"`
	// Interval is how old the credential may become before a rotation is due. Default: 90d.
	Interval Duration `yaml:"interval"`
	// Soak is how long the old credential stays refused, and can be brought back, before it is erased.
	// Default: 10m.
	Soak Duration `yaml:"soak"`
	// Before is what is looked at before a rotation begins, beside what always is.
	Before Before `yaml:"before,omitempty"`
	// Gates are how the application fares on the new version: what has to be good before the old one is taken away.
	Gates Gates `yaml:"gates"`
	// Refused is how many requests were refused since an answer to a leak was asked for. Default: that is not told.
	Refused *Refused `yaml:"refused,omitempty"`
	// Notify is where it is told that a rotation has begun, ended or failed.
	Notify []Notify `yaml:"notify,omitempty"`
	// Grafana is where a rotation leaves an annotation once it has ended.
	Grafana *Grafana `yaml:"grafana,omitempty"`
	// PodOutput lists who is also told what pods have written: the last lines of a container that crashed, lines that the gate logs has
	// found. It can hold anything, also other secrets. Any of notify, grafana, events, history. Default: nobody, only the operator sees it.
	PodOutput []string `yaml:"podOutput,omitempty"`
	// Postgres says where the PostgreSQL server is and who administers it. Only for kind postgres.
	Postgres *Postgres `yaml:"postgres,omitempty"`
	// Redis says where the Redis or Valkey server is and who administers it. Only for kind redis.
	Redis *Redis `yaml:"redis,omitempty"`
	// JWT says how signing keys stand in the Secret, and how pods are asked about them. Only for kind jwt.
	JWT *JWT `yaml:"jwt,omitempty"`
}

// Secret says where in a Secret the credential stands. Connection strings in other keys of the same Secret
// are found by looking, and need not be named.
type Secret struct {
	// Name is the Secret's name. Default for the first of kind postgres: postgresql-credentials; of kind redis:
	// redis-credentials.
	Name string `yaml:"name,omitempty"`
	// Namespace is where the Secret is. Default: that of the target. Only for those under also.
	Namespace string `yaml:"namespace,omitempty"`
	// Username is the key of the login. Default: username, unless login or dsn is given. Where a Secret of kind redis has no
	// such key, the login is default, and two passwords of it overlap.
	Username string `yaml:"username,omitempty"`
	// Password is the key of the password. Default: password, unless dsn is given.
	Password string `yaml:"password,omitempty"`
	// Login is the login itself, where the Secret holds only its password. It cannot change then: for systems
	// that accept two passwords of one login.
	Login string `yaml:"login,omitempty"`
	// DSN is the key of a connection string to read the credential from, where the Secret has no key for the
	// password alone.
	DSN string `yaml:"dsn,omitempty"`
	// Copies are keys that hold nothing but one more copy of the login or of the password.
	Copies []string `yaml:"copies,omitempty"`
	// Ignore are keys that have nothing to do with the credential, though they may look as if they held it.
	Ignore []string `yaml:"ignore,omitempty"`
}

// Postgres is a PostgreSQL server.
type Postgres struct {
	// Pod is the pod that the server runs in, for a port-forward. Default: postgresql-0.
	Pod string `yaml:"pod,omitempty"`
	// Container is the server's container in that pod. Default: the one that declares the port, else the first.
	Container string `yaml:"container,omitempty"`
	// Namespace is where the pod and the service are. Default: that of the target.
	Namespace string `yaml:"namespace,omitempty"`
	// Service is the service in front of the server, to find the pods behind it when pod is not given.
	Service string `yaml:"service,omitempty"`
	// Port is the port that the server listens on in its pod. Default: 5432.
	Port int `yaml:"port,omitempty"`
	// Address is host:port of the server as seen from where kubectl rotate runs, for --via=direct. Default: none.
	Address string `yaml:"address,omitempty"`
	// Through are the ways in that the application takes, each as host:port: poolers such as PgBouncer, in front of the
	// server. Default: where the connection strings in the Secret lead.
	Through []string `yaml:"through,omitempty"`
	// Database is the database that the application uses. Default: demo-platform.
	Database string `yaml:"database,omitempty"`
	// Standbys are the servers that replay this one and that the controller of its pod does not control: pod/NAME, statefulset/NAME,
	// service/NAME, or host:port for --via=direct. Default: none.
	Standbys []string `yaml:"standbys,omitempty"`
	// SSLMode is how TLS is used towards the server, in the words of libpq: disable, prefer, require, verify-ca or verify-full. Only
	// the last two check its certificate, and verify-full also for whom it is. Default: prefer, and verify-full for --via=direct.
	SSLMode      string `yaml:"sslmode,omitempty"`
	Certificates `yaml:",inline"`
	// Auth is the weakest method by which a password is sent: scram-sha-256, md5 or password. With md5, SCRAM works too. With password,
	// passwords are sent in clear text, which requires the sslmode verify-ca or verify-full. Default: scram-sha-256.
	Auth string `yaml:"auth,omitempty"`
	// Strategy is how the next version comes about: alternate makes another login under one owner role; clone makes one with
	// copies of the grants of the one before; same-user changes the password of the login, with a gap. Default: alternate.
	Strategy string `yaml:"strategy,omitempty"`
	// Owner is the role that owns the application's objects, where the login in use is another one that works by grants on
	// them. Default: found in the server's catalogue, or refused where that is not clear.
	Owner string `yaml:"owner,omitempty"`
	// Admin is the role that creates and drops logins.
	Admin Admin `yaml:"admin,omitempty"`
}

// Redis is a Redis or Valkey server.
type Redis struct {
	// Pod is a pod that the server runs in; the others of its StatefulSet, or of whatever controls it, are found. Default: redis-0.
	Pod string `yaml:"pod,omitempty"`
	// Nodes are the other nodes of the server, where they are no pods of the same controller: statefulset/NAME, service/NAME, pod/NAME, or
	// host:port as seen from where kubectl rotate runs. A node that the server announces and that is none of these is named, and nobody logs
	// in there. Default: none.
	Nodes []string `yaml:"nodes,omitempty"`
	// Container is the server's container in that pod. Default: the one that declares the port, else the first.
	Container string `yaml:"container,omitempty"`
	// Namespace is where the pods are. Default: that of the target.
	Namespace string `yaml:"namespace,omitempty"`
	// Port is the port that the server listens on in its pods. Default: 6379.
	Port int `yaml:"port,omitempty"`
	// Address is host:port of a node as seen from where kubectl rotate runs, for --via=direct. The other ones are given under nodes.
	// Default: none.
	Address string `yaml:"address,omitempty"`
	// TLS is whether TLS is used towards the server: auto, disable, require, verify-ca or verify-full. Only the last two check its
	// certificate, and verify-full also for whom it is. Default: auto, which finds out.
	TLS          string `yaml:"tls,omitempty"`
	Certificates `yaml:",inline"`
	// Admin is the user that changes ACL users.
	Admin Admin `yaml:"admin,omitempty"`
}

// Admin is the role that a server is administered with.
type Admin struct {
	// User is the administrator's login. Default: postgres, and for kind redis: default.
	User string `yaml:"user,omitempty"`
	// Secret is where the administrator's password is kept. Default: it is looked for where the server's own
	// pod is given it.
	Secret *KeyRef `yaml:"secret,omitempty"`
}

// KeyRef is one key of one Secret.
type KeyRef struct {
	// Name is the Secret's name. Required.
	Name string `yaml:"name"`
	// Key is the key in it. Required.
	Key string `yaml:"key"`
}

// Kind is what accepts a target's credential.
type Kind string

// The kinds of targets: a login of a PostgreSQL server, an ACL user of a Redis or Valkey server.
const (
	KindPostgres Kind = "postgres"
	KindRedis    Kind = "redis"
)
