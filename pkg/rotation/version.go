package rotation

import "fmt"

// Version numbers the values of one target. The value in use at the first rotation is 1;
// a number is given out once and never again, whatever became of its value.
// 0 stands for a value that has no number yet.
type Version int

// String gives "v3".
func (v Version) String() string { return fmt.Sprintf("v%d", int(v)) }

// Credential is one version of what is rotated.
type Credential struct {
	V     Version
	ID    string            // the login, the ACL user, the key id
	Value Secret            // the password or the key; empty where only the ID is still known
	Meta  map[string]string // what the system wants to find again, such as the owner role; never a secret
}

// Same says whether two credentials are the same value under the same ID, whatever their numbers.
func (c Credential) Same(other Credential) bool {
	return c.ID == other.ID && c.Value.Equal(other.Value)
}
