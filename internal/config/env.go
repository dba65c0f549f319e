package config

import (
	"cmp"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// variable is one leaf of Config.
type variable struct {
	Group string
	Name  string
	Tag   reflect.StructTag
	field reflect.StructField
	value reflect.Value
}

// NeededBy lists the roles that cannot start without the variable.
func (v variable) NeededBy() []string { return strings.Fields(v.Tag.Get("needed")) }

// variables lists the leaves of c, in their order; their values are settable.
func (c *Config) variables() []variable {
	var out []variable
	groups := reflect.ValueOf(c).Elem()
	for i := range groups.NumField() {
		group, title := groups.Field(i), groups.Type().Field(i).Tag.Get("desc")
		for j := range group.NumField() {
			f := group.Type().Field(j)
			out = append(out, variable{
				Group: title, Name: f.Tag.Get("envconfig"), Tag: f.Tag, field: f, value: group.Field(j),
			})
		}
	}
	return out
}

// read fills c from the environment, one variable at a time, because envconfig stops at the first it cannot read.
// unread has the names of those.
func (c *Config) read() (problems Problems, unread map[string]bool) {
	unread = map[string]bool{}
	for _, v := range c.variables() {
		field := v.field
		if os.Getenv(v.Name) == "" {
			// An empty variable counts as unset, as compose files and unit files expect; envconfig would not use the
			// default. No variable can have this name, so it always does.
			field.Tag = reflect.StructTag(strings.Replace(string(field.Tag), v.Name, v.Name+"=", 1))
		}
		one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
		if err := envconfig.Process("", one.Interface()); err != nil {
			// The error quotes the value: it is not passed on.
			var parse *envconfig.ParseError
			if !errors.As(err, &parse) {
				panic("config: " + err.Error())
			}
			problems = append(problems, Problem{v.Name, "cannot be read", "give " + expected(v.field.Type)})
			unread[v.Name] = true
			continue
		}
		v.value.Set(one.Elem().Field(0))
	}
	return problems, unread
}

// Unknown lists the variables of the environment that begin with CALLSYNC_ and mean nothing: usually slips of the pen.
func Unknown() []string {
	known := map[string]bool{}
	for _, v := range new(Config).variables() {
		known[v.Name] = true
	}
	var out []string
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "CALLSYNC_") && value != "" && !known[name] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// byOrder sorts problems as the variables stand in the documentation.
func byOrder(vars []variable) func(a, b Problem) int {
	place := map[string]int{}
	for i, v := range vars {
		place[v.Name] = i
	}
	return func(a, b Problem) int { return cmp.Compare(place[a.Name], place[b.Name]) }
}
