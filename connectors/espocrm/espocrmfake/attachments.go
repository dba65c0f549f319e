package espocrmfake

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// maxAttachment is attachmentUploadMaxSize in bytes.
const maxAttachment = 256 << 20

func (f *Fake) beginUpload(in record) (any, error) {
	name, _ := in["field"].(string)
	entity, _ := in["parentType"].(string)
	size, _ := in["size"].(float64)
	switch {
	case name == "" || entity == "":
		return nil, refuse(http.StatusBadRequest, "No `field` and `parentType`.")
	case f.defs[entity][name].Type == "":
		return nil, refuse(http.StatusForbidden, "Field '%s' does not exist.", name)
	case f.defs[entity][name].Type != "attachmentMultiple":
		return nil, refuse(http.StatusForbidden, "Field type '%s' is not allowed for attachment.", f.defs[entity][name].Type)
	case in["isBeingUploaded"] != true:
		return nil, refuse(http.StatusBadRequest, "No file contents.")
	case size > maxAttachment:
		return nil, refuse(http.StatusForbidden, "Attachment size exceeds `attachmentUploadMaxSize`.")
	}
	r := record{"name": in["name"], "type": in["type"], "size": size, "field": name, "parentType": entity, "isBeingUploaded": true}
	f.put("Attachment", r)
	return r, nil
}

func (f *Fake) addPiece(id, body string) (any, error) {
	a, ok := f.living("Attachment", id)
	if !ok {
		return nil, refuse(http.StatusNotFound, "")
	}
	if a["isBeingUploaded"] != true {
		return nil, refuse(http.StatusForbidden, "Attachment is not being-uploaded.")
	}
	_, text, ok := strings.Cut(body, ";base64,")
	piece, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil, refuse(http.StatusBadRequest, "Bad file data.")
	}
	f.contents[id] = append(f.contents[id], piece...)
	size := int(a["size"].(float64))
	if len(f.contents[id]) > size {
		return nil, refuse(http.StatusInternalServerError, "File size mismatch.")
	}
	if len(f.contents[id]) == size {
		a["isBeingUploaded"] = false
	}
	return true, nil
}
