package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Preflight looks for whatever would keep a rotation away from current, the credential in use, from its end. It changes
// nothing. A refusal is the first obstacle met, with what to do about it as its hint; notes are what an operator
// should know and what need not stop him.
func (s *Server) Preflight(ctx context.Context, current rotation.Credential) ([]string, error) {
	return s.preflight(ctx, current, func(p *preflight) []look {
		if s.Leaked != "" {
			return p.urgent()
		}
		if s.Strategy == Clone {
			return []look{p.exists, p.login, p.acts, p.name, p.stored, p.clonable, p.clones, p.rehearsed, p.headroom, p.value, p.known}
		}
		return []look{
			p.exists, p.version, p.login, p.acts, p.name, p.stored, p.owner, p.grants, p.joins, p.headroom, p.value, p.known, p.clients, p.own,
			p.leftovers,
		}
	})
}

// urgent is what a rotation away from a leaked login cannot do without: an admin that may make the next one, a name for it, and that the login is
// this target's. All else, which whoever has the login could see to, is noted.
func (p *preflight) urgent() []look {
	needed := []look{p.exists, p.version, p.login, p.name, p.stored, p.owner, p.grants, p.entitled}
	told := []look{p.acts, p.headroom, p.value, p.joins, p.leftovers}
	if p.s.Strategy == Clone {
		needed, told = []look{p.exists, p.login, p.name, p.stored, p.clones, p.entitled}, []look{p.clonable, p.headroom, p.value}
	}
	for _, look := range told {
		needed = append(needed, p.told(look))
	}
	return needed
}

// told is a look whose refusal is a note.
func (p *preflight) told(look look) look {
	return func(ctx context.Context, c rotation.Credential) error {
		err := look(ctx, c)
		if err != nil && ctx.Err() == nil {
			p.note("%v", err)
			return nil
		}
		return err
	}
}

// entitled wants a leaked login to be this target's.
func (p *preflight) entitled(ctx context.Context, current rotation.Credential) error {
	err := p.s.mayChange(ctx, p.n, p.sub)
	if err != nil && errors.Is(err, rotation.ErrRefused) && current.ID == p.s.Leaked {
		err = rotation.Refuse(rotation.WithHint(
			fmt.Errorf("nothing shows that %q is this target's login: %w", current.ID, err),
			"whoever stole it may have changed its password; if that is so, agree with --accept="+rotation.ConsentOwnership))
	}
	return err
}

// look is one thing that a preflight looks for.
type look func(context.Context, rotation.Credential) error

func (s *Server) preflight(ctx context.Context, current rotation.Credential, looks func(*preflight) []look) (notes []string, err error) {
	err = s.with(ctx, func(ctx context.Context, cl *cluster) error {
		p := &preflight{s: s, n: cl.primary}
		for _, look := range looks(p) {
			if err := look(ctx, current); err != nil {
				return err
			}
		}
		notes = p.notes
		for _, d := range cl.down {
			notes = append(notes, d.err.Error())
		}
		return nil
	})
	if errors.Is(err, errNoPrimary) {
		err = rotation.Refuse(err)
	}
	return notes, wrap(err, "before rotating %s", current.ID)
}

// preflight is what its looks have gathered so far.
type preflight struct {
	s     *Server
	n     *session
	sub   subject
	dbs   []string
	notes []string
}

func (p *preflight) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// exists wants the login of the application's Secret to be known to this server: else it is the wrong one.
func (p *preflight) exists(ctx context.Context, current rotation.Credential) error {
	sub, err := p.s.subject(ctx, p.n, current)
	if err != nil {
		return err
	}
	if sub.role == nil {
		all, err := list(ctx, p.n, pgx.RowTo[string], "SELECT datname::text FROM pg_database WHERE NOT datistemplate ORDER BY 1")
		if err != nil {
			return err
		}
		return rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%s has no role %q (its databases: %s)", p.n.node.Name, current.ID, strings.Join(all, ", ")),
			"check that the Secret belongs to this server, and which key of it is the user name"))
	}
	p.sub = sub
	p.dbs, err = p.n.databases(ctx, sub)
	return err
}

func (p *preflight) version(context.Context, rotation.Credential) error {
	if fixed := brokenMinor(p.n.version); fixed != "" {
		return rotation.Refuse(rotation.WithHint(
			fmt.Errorf("PostgreSQL %s ignores ALTER ROLE … SET role: a new login would not act as its owner", versionText(p.n.version)),
			"upgrade to "+fixed))
	}
	return nil
}

// brokenMinor is the release that mends the one of server_version_num n; "" where there is nothing to mend.
func brokenMinor(n int) string {
	switch n {
	case 120021, 130017, 140014, 150009, 160005, 170001:
		return versionText(n + 1)
	}
	return ""
}

func versionText(n int) string { return fmt.Sprintf("%d.%d", n/10000, n%10000) }

// login wants a role that can be rotated.
func (p *preflight) login(ctx context.Context, _ rotation.Credential) error {
	r := p.sub.role
	if r.Name == p.s.Admin.User {
		return rotation.Refuse(rotation.WithHint(fmt.Errorf("%q is the admin itself", r.Name), "use another role as the admin"))
	}
	if err := r.ordinary(); err != nil {
		return err
	}
	if !r.CanLogin {
		return rotation.Refuse(rotation.WithHint(fmt.Errorf("role %q may not log in", r.Name), "check which login the application uses"))
	}
	return nil
}

// acts wants the role that the login acts as to be the same everywhere.
func (p *preflight) acts(ctx context.Context, _ rotation.Credential) error {
	r := p.sub.role
	where, err := list(ctx, p.n, pgx.RowTo[string], `
		SELECT d.datname::text FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole JOIN pg_database d ON d.oid = s.setdatabase
		WHERE r.rolname = $1 AND EXISTS (SELECT FROM unnest(s.setconfig) c WHERE c LIKE 'role=%') ORDER BY 1`, r.Name)
	if err == nil && len(where) > 0 {
		err = rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%q acts as another role in database %s only", r.Name, strings.Join(where, ", ")),
			"set the role for all databases: ALTER ROLE … SET role"))
	}
	return err
}

// name wants the next login's to fit, whichever of its names is free.
func (p *preflight) name(ctx context.Context, current rotation.Credential) error {
	next := rotation.Credential{V: current.V + 1, Meta: map[string]string{}}
	if p.s.Strategy == Clone {
		return p.n.nameClone(ctx, &next, p.sub.role)
	}
	return p.n.name(ctx, &next, p.sub.owner)
}

// stored notes how the next password will differ from the one that is stored.
func (p *preflight) stored(context.Context, rotation.Credential) error {
	r := p.sub.role
	if r.Expires && p.s.ValidFor == 0 {
		p.note("the password of %s has an end (VALID UNTIL); that of the new login will have none", r.Name)
	}
	if r.Expires && p.s.ValidFor > 0 {
		p.note("the password of %s has an end (VALID UNTIL); that of the new login ends %v after its install: the rotation interval, and a grace",
			r.Name, p.s.ValidFor)
	}
	p.md5()
	return nil
}

func (p *preflight) md5() {
	if r := p.sub.role; r.knows && strings.HasPrefix(string(r.verifier.Reveal()), "md5") {
		p.note("%s is stored as MD5; the next password is SCRAM-SHA-256, which clients older than PostgreSQL 10 cannot do", r.Name)
	}
}

// owner wants the same of the role that the login acts as.
func (p *preflight) owner(ctx context.Context, _ rotation.Credential) error {
	r := p.sub.role
	if r.Acts != "" && !r.MayAct {
		p.note("%s is set to act as %s, which it may not: it acts as itself", r.Name, r.Acts)
	}
	if p.sub.adopted() {
		return nil
	}
	owner, err := p.n.existing(ctx, p.sub.owner)
	if err != nil {
		return err
	}
	return owner.ordinary()
}

// value wants the server to accept what the Secret holds.
func (p *preflight) value(ctx context.Context, current rotation.Credential) error {
	if current.Value.Empty() {
		return nil
	}
	got, err := p.s.tryAll(ctx, attempt{sub: p.sub, node: p.n}, p.dbs)
	if err != nil {
		return err
	}
	for i, v := range got {
		if database := p.dbs[i]; v.status == rotation.Altered {
			return rotation.Refuse(rotation.WithHint(
				fmt.Errorf("%s does not accept the Secret's password of %q in %s: %s", p.n.node.Name, current.ID, database, v.proof),
				"put the password that the application really uses into the Secret first"))
		}
	}
	return nil
}

// clients notes what could keep the application's connections out although a login from here works.
func (p *preflight) clients(ctx context.Context, current rotation.Credential) error {
	fresh := p.sub
	fresh.c = rotation.Credential{
		ID:   loginName(p.sub.owner, current.V+1, 1),
		Meta: map[string]string{MetaOwner: p.sub.owner, MetaModel: current.ID},
	}
	doubt, err := p.n.hbaDoubt(ctx, fresh, p.dbs)
	if err == nil && doubt != "" {
		p.note("%s: name the group +%s there instead, or the new login may be turned away", doubt, p.sub.owner)
	}
	return err
}

// own notes what the login in use has beside its owner's: the new one does not have it, and retiring the old one waits for it
// to be handed over. An adopted login keeps what it has.
func (p *preflight) own(ctx context.Context, _ rotation.Credential) error {
	if p.sub.adopted() {
		return nil
	}
	looks := []func(context.Context, subject) error{p.n.prepared, p.n.members}
	if !p.sub.byHand() {
		looks = append(looks, p.n.dependants)
	}
	for _, look := range looks {
		err := look(ctx, p.sub)
		if errors.Is(err, rotation.ErrRefused) {
			p.note("%s can be retired only after a change by hand: %v (%s)", p.sub.c.ID, err, rotation.Hint(err))
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
