package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/internal/config"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

const accessUsage = `Usage:
  callsync user list [--workspace NAME]
  callsync user add EMAIL [--role viewer|operator|admin] [--name NAME] [--workspace NAME] [--password-stdin]
  callsync user reset-password EMAIL [--password-stdin]
  callsync user operator EMAIL [--off]
  callsync workspace list
  callsync workspace add NAME

Without --password-stdin a link is printed, behind which the person chooses a password. --workspace takes an id or a name;
without it the oldest is meant. DATABASE_URL says where, CALLSYNC_PUBLIC_URL makes the links whole. See docs/access.md.
`

// passwordLinkLife is how long a link of "user reset-password" works.
const passwordLinkLife = 24 * time.Hour

// access is the operator's command line for people and workspaces.
type access struct {
	db     *postgres.DB
	public string
	in     io.Reader
	out    io.Writer
}

// runAccess runs "callsync user ..." and "callsync workspace ...". It speaks to the database itself: whoever may do that
// is the operator.
func runAccess(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	command, ok := parseAccess(args, out)
	if !ok {
		fmt.Fprint(out, accessUsage)
		return errors.New("name one of these commands")
	}
	ctx = records.WithActor(ctx, records.OperatorActor("callsync "+args[0]+" "+args[1]))
	cfg, err := config.Load(config.Migrate)
	if err != nil {
		return err
	}
	// Nothing here is sealed, so no keys are needed.
	db, err := postgres.Open(ctx, cfg.Database.URL.Reveal(), nil, postgres.Options{MaxConns: 2, ApplicationName: "callsync " + args[0]})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.CheckSchema(ctx); err != nil {
		return err
	}
	return command(ctx, &access{db: db, public: strings.TrimSuffix(cfg.HTTP.PublicURL, "/"), in: in, out: out})
}

// parseAccess reads a command with its flags, which may stand before and after what it is about.
func parseAccess(args []string, out io.Writer) (run func(context.Context, *access) error, ok bool) {
	if len(args) < 2 {
		return nil, false
	}
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	workspace := set.String("workspace", "", "")
	role := set.String("role", records.RoleAdmin, "")
	name := set.String("name", "", "")
	stdin := set.Bool("password-stdin", false, "")
	off := set.Bool("off", false, "")
	var about []string
	for rest := args[2:]; len(rest) > 0; {
		if err := set.Parse(rest); err != nil {
			fmt.Fprintln(out, err)
			return nil, false
		}
		if rest = set.Args(); len(rest) > 0 {
			about, rest = append(about, rest[0]), rest[1:]
		}
	}
	one := ""
	if len(about) == 1 {
		one = about[0]
	}
	switch command := args[0] + " " + args[1]; {
	case command == "user list" && len(about) == 0:
		return func(ctx context.Context, a *access) error { return a.listUsers(ctx, *workspace) }, true
	case command == "user add" && one != "":
		return func(ctx context.Context, a *access) error {
			return a.addUser(ctx, one, *role, *name, *workspace, *stdin)
		}, true
	case command == "user reset-password" && one != "":
		return func(ctx context.Context, a *access) error { return a.resetPassword(ctx, one, *stdin) }, true
	case command == "user operator" && one != "":
		return func(ctx context.Context, a *access) error { return a.setOperator(ctx, one, !*off) }, true
	case command == "workspace list" && len(about) == 0:
		return func(ctx context.Context, a *access) error { return a.listWorkspaces(ctx) }, true
	case command == "workspace add" && one != "":
		return func(ctx context.Context, a *access) error { return a.addWorkspace(ctx, one) }, true
	}
	return nil, false
}

// workspace finds a workspace by its id or its name; an empty one is the oldest.
func (a *access) workspace(ctx context.Context, named string) (records.Workspace, error) {
	all, err := a.db.Workspaces(ctx)
	if err != nil {
		return records.Workspace{}, err
	}
	var found []records.Workspace
	for _, w := range all {
		if w.ID == named || strings.EqualFold(w.Name, named) || named == "" && len(found) == 0 {
			found = append(found, w)
		}
	}
	switch {
	case len(all) == 0:
		return records.Workspace{}, errors.New("there is no workspace yet: callsync workspace add NAME makes one")
	case len(found) == 0:
		return records.Workspace{}, errors.New("there is no such workspace: callsync workspace list shows all")
	case len(found) > 1:
		return records.Workspace{}, errors.New("several workspaces have this name: give the id that callsync workspace list shows")
	}
	return found[0], nil
}

func (a *access) listUsers(ctx context.Context, named string) error {
	all, err := a.db.Workspaces(ctx)
	if err != nil {
		return err
	}
	if named != "" {
		w, err := a.workspace(ctx, named)
		if err != nil {
			return err
		}
		all = []records.Workspace{w}
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WORKSPACE\tE-MAIL\tNAME\tROLE\tSTATE")
	for _, w := range all {
		members, err := a.db.Members(ctx, w.ID)
		if err != nil {
			return err
		}
		for _, m := range members {
			state := "active"
			if !m.DisabledAt.IsZero() {
				state = "kept out"
			}
			if m.Installation {
				state += ", operator"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", printable(w.Name), printable(m.Email), printable(m.Name), m.Role, state)
		}
		open, err := a.db.Invitations(ctx, w.ID)
		if err != nil {
			return err
		}
		for _, i := range open {
			fmt.Fprintf(table, "%s\t%s\t\t%s\tinvited until %s\n", printable(w.Name), printable(i.Email), i.Role, i.ExpiresAt.Format(time.DateOnly))
		}
	}
	return table.Flush()
}

func (a *access) addUser(ctx context.Context, email, role, name, workspace string, stdin bool) error {
	if parsed, err := mail.ParseAddress(email); err != nil || parsed.Address != email {
		return errors.New("this is not an e-mail address: write anna@example.com")
	}
	if role != records.RoleViewer && role != records.RoleOperator && role != records.RoleAdmin {
		return errors.New("the role is viewer, operator or admin")
	}
	w, err := a.workspace(ctx, workspace)
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	if stdin {
		hash, err := a.readPassword(email)
		if err != nil {
			return err
		}
		err = a.db.CreateUser(ctx, records.User{ID: id.String(), WorkspaceID: w.ID, Email: email, Name: name, Role: role, PasswordHash: hash})
		if errors.Is(err, records.ErrConflict) {
			return errors.New("this e-mail has an account already: leave --password-stdin out to invite them into this workspace")
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.out, "%s is in the workspace %s as %s\n", email, printable(w.Name), role)
		return err
	}
	token := secretbox.NewToken()
	i := records.Invitation{ID: id.String(), WorkspaceID: w.ID, Email: email, Role: role, Hash: secretbox.HashToken(token), ExpiresAt: time.Now().Add(admin.InvitationLife)}
	if err := a.db.CreateInvitation(ctx, i); errors.Is(err, records.ErrConflict) {
		return errors.New("this person is in the workspace already")
	} else if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "send %s this link; it works once, until %s:\n%s\n", email, i.ExpiresAt.Format(time.DateTime), a.link(admin.InvitationPath+token))
	return err
}

func (a *access) resetPassword(ctx context.Context, email string, stdin bool) error {
	id, _, err := a.account(ctx, email)
	if err != nil {
		return err
	}
	if stdin {
		hash, err := a.readPassword(email)
		if err != nil {
			return err
		}
		if err := a.db.SetPassword(ctx, id, hash, ""); err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.out, "the password of %s is set, and all their sessions have ended\n", email)
		return err
	}
	token, until := secretbox.NewToken(), time.Now().Add(passwordLinkLife)
	if err := a.db.AddPasswordLink(ctx, id, secretbox.HashToken(token), until); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "send %s this link; it works once, until %s:\n%s\n", email, until.Format(time.DateTime), a.link(admin.PasswordPath+token))
	return err
}

func (a *access) setOperator(ctx context.Context, email string, on bool) error {
	id, _, err := a.account(ctx, email)
	if err != nil {
		return err
	}
	if err := a.db.SetInstallation(ctx, id, on); err != nil {
		return err
	}
	may := "may add workspaces"
	if !on {
		may = "may not add workspaces any more"
	}
	_, err = fmt.Fprintf(a.out, "%s %s\n", email, may)
	return err
}

func (a *access) account(ctx context.Context, email string) (id, hash string, err error) {
	id, hash, err = a.db.AccountByEmail(ctx, email)
	if errors.Is(err, records.ErrNotFound) {
		err = errors.New("nobody has this e-mail: callsync user list shows all")
	}
	return id, hash, err
}

func (a *access) listWorkspaces(ctx context.Context) error {
	all, err := a.db.Workspaces(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tSINCE")
	for _, w := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\n", w.ID, printable(w.Name), w.CreatedAt.Format(time.DateOnly))
	}
	return table.Flush()
}

func (a *access) addWorkspace(ctx context.Context, name string) error {
	if name = strings.TrimSpace(name); name == "" || len(name) > 200 || printable(name) != name {
		return errors.New("give a name of 1 to 200 characters, in one line")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	if err := a.db.CreateWorkspace(ctx, records.Workspace{ID: id.String(), Name: name}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "the workspace %s is there: %s\nits first admin: callsync user add EMAIL --workspace %s\n", name, id, id)
	return err
}

// readPassword reads the first line of standard input, and hashes it.
func (a *access) readPassword(email string) (hash string, err error) {
	line, err := bufio.NewReader(io.LimitReader(a.in, secretbox.MaxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	password := strings.TrimRight(line, "\r\n")
	if said := secretbox.RefusePassword(password, email); said != "" {
		return "", errors.New(said)
	}
	return secretbox.HashPassword(password)
}

func (a *access) link(path string) string {
	return cmp.Or(a.public, "<CALLSYNC_PUBLIC_URL>") + path
}

// printable keeps what people have typed from steering the operator's terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}
