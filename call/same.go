package call

import (
	"encoding/json"
	"reflect"
	"strconv"
	"time"
)

// SameState tells whether a and b say the same, revision aside: if they do, nothing has to be delivered. Absent and
// empty lists are the same, as are moments in different zones and numbers of different Go types, so that a call read
// back from storage equals the one that was written.
func SameState(a, b Call) bool {
	a.Revision, b.Revision = 0, 0
	return same(reflect.ValueOf(a), reflect.ValueOf(b))
}

var timeType = reflect.TypeFor[time.Time]()

// same walks the type instead of naming fields, so that a field added to Call cannot be forgotten.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Struct:
		if a.Type() == timeType {
			return a.Interface().(time.Time).Equal(b.Interface().(time.Time))
		}
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		for it := a.MapRange(); it.Next(); {
			other := b.MapIndex(it.Key())
			if !other.IsValid() || !same(it.Value(), other) {
				return false
			}
		}
		return true
	case reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return sameAny(a.Elem(), b.Elem())
	}
	return a.Equal(b)
}

func sameAny(a, b reflect.Value) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && sameNumber(x, y)
	}
	return a.Type() == b.Type() && same(a, b)
}

func number(v reflect.Value) (string, bool) {
	if n, ok := v.Interface().(json.Number); ok {
		return n.String(), true
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), true
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), true
	case v.CanFloat():
		return strconv.FormatFloat(v.Float(), 'g', -1, 64), true
	}
	return "", false
}

func sameNumber(x, y string) bool {
	if x == y {
		return true
	}
	// Whole numbers of different text differ, even where a float64 could not tell them apart.
	_, errX := strconv.ParseInt(x, 10, 64)
	_, errY := strconv.ParseInt(y, 10, 64)
	if errX == nil && errY == nil {
		return false
	}
	f, errX := strconv.ParseFloat(x, 64)
	g, errY := strconv.ParseFloat(y, 64)
	return errX == nil && errY == nil && f == g
}
