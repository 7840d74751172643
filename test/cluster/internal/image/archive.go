package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Archive writes the image as containerd imports it: an OCI image layout in a tar file, under each of the names.
func Archive(w io.Writer, img v1.Image, names ...string) error {
	a := archive{tar: tar.NewWriter(w)}
	if err := a.image(img, names); err != nil {
		return fmt.Errorf("packing image %s: %w", names[0], err)
	}
	if err := a.tar.Close(); err != nil {
		return fmt.Errorf("packing image %s: %w", names[0], err)
	}
	return nil
}

type archive struct{ tar *tar.Writer }

func (a archive) image(img v1.Image, names []string) error {
	index, err := indexOf(img, names)
	if err != nil {
		return err
	}
	if err := a.bytes("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := a.bytes("index.json", index); err != nil {
		return err
	}
	manifest, err := img.RawManifest()
	if err != nil {
		return err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	for _, blob := range [][]byte{manifest, config} {
		sum, _, err := v1.SHA256(bytes.NewReader(blob))
		if err != nil {
			return err
		}
		if err := a.bytes(blobName(sum), blob); err != nil {
			return err
		}
	}
	return a.layers(img)
}

func (a archive) layers(img v1.Image) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		if err := a.layer(l); err != nil {
			return err
		}
	}
	return nil
}

func (a archive) layer(l v1.Layer) error {
	sum, err := l.Digest()
	if err != nil {
		return err
	}
	size, err := l.Size()
	if err != nil {
		return err
	}
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	return a.file(blobName(sum), size, r)
}

func (a archive) bytes(name string, data []byte) error {
	return a.file(name, int64(len(data)), bytes.NewReader(data))
}

func (a archive) file(name string, size int64, r io.Reader) error {
	if err := a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644}); err != nil {
		return err
	}
	_, err := io.Copy(a.tar, r)
	return err
}

func blobName(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// indexOf lists the image once for each name, in the annotation that containerd takes a whole name from.
func indexOf(img v1.Image, names []string) ([]byte, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	size, err := img.Size()
	if err != nil {
		return nil, err
	}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, n := range names {
		index.Manifests = append(index.Manifests, v1.Descriptor{
			MediaType: types.OCIManifestSchema1, Digest: digest, Size: size,
			Annotations: map[string]string{"io.containerd.image.name": n},
		})
	}
	return json.Marshal(index)
}
