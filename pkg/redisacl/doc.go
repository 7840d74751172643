// Package redisacl rotates the ACL user that an application has at a Redis or Valkey server: a [rotation.Server] over every
// node of it.
//
// The next user (backend_v2, backend_v3, …) has the rules of the one in use, to the letter, so that CLIENT LIST tells who still
// uses the old one. Where the application sends no user name, or the user is default, [TwoPasswords] gives one user two
// passwords instead; CLIENT LIST cannot tell these apart.
//
// ACL rules are not replicated. So every look and every effect is at every node, at all of them at once. Nodes are those that [Server.Nodes]
// gives. What a node announces as its replicas, its primary, or members of its cluster is only compared with them: whoever may
// replicate can announce any address. Nobody logs in to a node that is none of them; it is named, and holds a rotation up until the operator
// agrees to go on without it. The answer to a leak goes on, and says so. A node that could not be reached is never taken for one that has
// nothing to say.
//
// A name on record proves nothing: several targets may have users at one server, and whoever may write a record can write any name there. A
// user is changed if this target has made it, or has a password of it ([owners]). Users that are made here have a mark for that: one more
// password hash, made of the UID of the application's Secret, which no password has. The rules of the next user are those of the user in use,
// read from the server; what is on record is only compared with them.
//
// Passwords never reach a server but in AUTH, which it keeps out of MONITOR and its slow log: everywhere else it is given their
// SHA-256.
//
// What is in a server's memory is lost at its restart unless it is saved: to the ACL file, or to its configuration. Whether it has
// been cannot be asked. So Install makes it visible: until it is saved, the user has one more password hash, which no password has
// ([unfinished]). A run that is killed in between leaves it there, and the next one knows that it has to save.
//
// Redis has no lock that an effect could be made under. Instead a run ends the connections of the runs before it when it comes to
// a node (see [Server.Alone]): an operator who stalls between the look at the record and the command finds his connection gone.
package redisacl
