package secretdata

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Each connection string of the login backend with the password "old s3cret/é" becomes the one of backend_v2 with the
// password "new's3cret", and every other byte stays; where the second text is "", so does the whole.
var forms = []struct{ name, before, after string }{
	{"postgres", "postgres://backend:old%20s3cret%2F%C3%A9@db:5432/app?sslmode=require", "postgres://backend_v2:new%27s3cret@db:5432/app?sslmode=require"},
	{"postgresql, lower-case escapes, a newline", "postgresql://backend:old%20s3cret%2f%c3%a9@db/app\n", "postgresql://backend_v2:new%27s3cret@db/app\n"},
	{"several hosts", "postgres://backend:old%20s3cret%2F%C3%A9@a:1,[::1]:2,c/app?target_session_attrs=any", "postgres://backend_v2:new%27s3cret@a:1,[::1]:2,c/app?target_session_attrs=any"},
	{"a driver in the scheme", "postgresql+psycopg2://backend:old+s3cret%2F%C3%A9@db/app", "postgresql+psycopg2://backend_v2:new%27s3cret@db/app"},
	{"in the query", "postgres:///app?host=/run/pg&user=backend&password=old%20s3cret%2F%C3%A9&x=1", "postgres:///app?host=/run/pg&user=backend_v2&password=new%27s3cret&x=1"},
	{"before the hosts and in the query", "postgres://backend@db/app?password=old+s3cret/%C3%A9", "postgres://backend_v2@db/app?password=new%27s3cret"},
	{"login only", "postgres://backend@db/app", "postgres://backend_v2@db/app"},
	{"a reference for the password", "postgres://backend:${PASSWORD}@db/app", "postgres://backend_v2:${PASSWORD}@db/app"},
	{"password only", "postgres://:old%20s3cret%2F%C3%A9@db/app", "postgres://:new%27s3cret@db/app"},
	{"rediss", "rediss://backend:old%20s3cret%2F%C3%A9@cache:6380/0", "rediss://backend_v2:new%27s3cret@cache:6380/0"},
	{"redis, login and password in the query", "redis://cache/0?username=backend&password=old%20s3cret%2F%C3%A9", "redis://cache/0?username=backend_v2&password=new%27s3cret"},
	{"amqp", "amqp://backend:old%20s3cret%2F%C3%A9@mq/%2Fvhost", "amqp://backend_v2:new%27s3cret@mq/%2Fvhost"},
	{"JDBC", "jdbc:postgresql://db/app?user=backend&password=old+s3cret%2F%C3%A9&ssl=true", "jdbc:postgresql://db/app?user=backend_v2&password=new%27s3cret&ssl=true"},
	{"JDBC, password first", "jdbc:postgresql://db/app?password=old%20s3cret%2F%C3%A9&user=backend", "jdbc:postgresql://db/app?password=new%27s3cret&user=backend_v2"},
	{"JDBC without hosts", "jdbc:postgresql:app?user=backend&password=old+s3cret%2F%C3%A9", "jdbc:postgresql:app?user=backend_v2&password=new%27s3cret"},
	{"JDBC without a login", "jdbc:postgresql://db/app?ssl=true", ""},
	{"libpq", "host=db port=5432 user=backend password='old s3cret/é' dbname=app", `host=db port=5432 user=backend_v2 password='new\'s3cret' dbname=app`},
	{"libpq without quotes", `user=backend password=old\ s3cret/é dbname=app`, `user=backend_v2 password='new\'s3cret' dbname=app`},
	{"libpq, spaces and lines", "host = db\n user = 'backend'\tpassword='old s3\\cret/é'\n", "host = db\n user = 'backend_v2'\tpassword='new\\'s3cret'\n"},
	{"JSON", `{"host":"db","username":"backend","password":"old s3cret\/é","port":5432}`, `{"host":"db","username":"backend_v2","password":"new's3cret","port":5432}`},
	{"JSON, nested, with a string in it", "{\n  \"db\": {\"dbUser\": \"backend\", \"dbPassword\": \"old s3cret/\\u00e9\"},\n  \"uri\": \"postgres:\\/\\/backend:old%20s3cret%2F%C3%A9@db\\/app\"\n}\n",
		"{\n  \"db\": {\"dbUser\": \"backend_v2\", \"dbPassword\": \"new's3cret\"},\n  \"uri\": \"postgres:\\/\\/backend_v2:new%27s3cret@db\\/app\"\n}\n"},
	{"JSON, two logins of one object", `{"admin_user":"root","admin_password":"x","user":"backend","password":"old s3cret/é"}`, `{"admin_user":"root","admin_password":"x","user":"backend_v2","password":"new's3cret"}`},
	{"JSON, a list of strings", `["postgres://backend:old%20s3cret%2F%C3%A9@a/b", "user=backend password='old s3cret/é'"]`, `["postgres://backend_v2:new%27s3cret@a/b", "user=backend_v2 password='new\\'s3cret'"]`},
	{"JSON in JSON", `{"x":"{\"user\":\"backend\",\"password\":\"old s3cret/é\"}"}`, `{"x":"{\"user\":\"backend_v2\",\"password\":\"new's3cret\"}"}`},
	{"a string in quotes", `"postgres://backend:old%20s3cret%2F%C3%A9@db/app"`, `"postgres://backend_v2:new%27s3cret@db/app"`},
	{"another login", "postgres://other:old%20s3cret%2F%C3%A9@db/app", ""},
	{"another login in libpq's form", "user=other password=x", ""},
	{"another login in JSON", `{"user":"other","password":"old s3cret/é"}`, ""},
	{"no connection at all", "some text, 5 = five", ""},
	{"a web address", "https://example.com/path?x=1", ""},
}

func TestForms(t *testing.T) {
	v1, v2 := cred(1, "backend", "old s3cret/é"), cred(2, "backend_v2", "new's3cret")
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			before := secret("username", v1.ID, "password", "old s3cret/é", "dsn", f.before)
			changed, err := usual.Render(rotation.View{Active: 2}, live(v1, v2), before)
			if err != nil {
				t.Fatal(err)
			}
			want := f.after
			if want == "" {
				want = f.before
			}
			after := merge(before, changed)
			if diff := cmp.Diff(want, string(after["dsn"])); diff != "" {
				t.Error(diff)
			}
			again, err := usual.Render(rotation.View{Active: 2}, live(v1, v2), after)
			if err != nil || len(again) > 0 {
				t.Errorf("rendered again it changes %v, %v", keys(again), err)
			}
		})
	}
}

// A Redis URL with no login means the user default; a new login has to be written there.
func TestRedisURLWithoutLogin(t *testing.T) {
	l := Layout{Username: "username", Password: "password"}
	data := secret("username", "default", "password", "old-s3cret", "url", "rediss://:old-s3cret@cache:6380/0")
	got, err := l.Render(rotation.View{Active: 2}, live(cred(2, "app_v2", "new-s3cret")), data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("rediss://app_v2:new-s3cret@cache:6380/0", string(got["url"])); diff != "" {
		t.Error(diff)
	}
}

// A password that is not valid UTF-8 has no form in JSON: better no change than another password.
func TestRenderRefusesWhatAFormCannotHold(t *testing.T) {
	data := secret("username", "backend", "password", "old-s3cret", "app.json", `{"user":"backend","password":"old-s3cret"}`)
	_, err := usual.Render(rotation.View{Active: 2}, live(cred(2, "backend_v2", "\xff")), data)
	if err == nil || err.Error() != "key app.json cannot hold the next password in the form that it has" {
		t.Errorf("got %v", err)
	}
}
