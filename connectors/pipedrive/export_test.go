package pipedrive

// Unmarked takes callsync's mark off a note.
var Unmarked = unmarked

// Terms are what a number is searched by.
var Terms = terms
