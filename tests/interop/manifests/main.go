// Reads Kubernetes manifests from stdin and says what an API server would refuse: a document of an
// unknown kind, a key that its published type does not have, a value of the wrong type, a key given
// twice; and a pod that the restricted Pod Security Standard does not let in.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

var kinds = map[schema.GroupVersionKind]func() metav1.Object{
	batchv1.SchemeGroupVersion.WithKind("CronJob"):              func() metav1.Object { return &batchv1.CronJob{} },
	corev1.SchemeGroupVersion.WithKind("ConfigMap"):             func() metav1.Object { return &corev1.ConfigMap{} },
	corev1.SchemeGroupVersion.WithKind("Namespace"):             func() metav1.Object { return &corev1.Namespace{} },
	corev1.SchemeGroupVersion.WithKind("Secret"):                func() metav1.Object { return &corev1.Secret{} },
	corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"): func() metav1.Object { return &corev1.PersistentVolumeClaim{} },
	networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"):   func() metav1.Object { return &networkingv1.NetworkPolicy{} },
}

func checkPod(t *corev1.PodTemplateSpec) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &t.ObjectMeta, &t.Spec))
	if !result.Allowed {
		return fmt.Errorf("Pod Security: %s", result.ForbiddenDetail())
	}
	return nil
}

func check(document []byte) (string, error) {
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(document, &head); err != nil {
		return "document", err
	}
	make := kinds[head.GroupVersionKind()]
	if make == nil {
		return "document", fmt.Errorf("unknown kind %s", head.GroupVersionKind())
	}
	object := make()
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return head.Kind, err
	}
	name := head.Kind + " " + object.GetName()
	if job, ok := object.(*batchv1.CronJob); ok {
		return name, checkPod(&job.Spec.JobTemplate.Spec.Template)
	}
	return name, nil
}

func main() {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	failed := false
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		name := "document"
		if err == nil {
			name, err = check(document)
		}
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			continue
		}
		fmt.Println(name)
	}
	if failed {
		os.Exit(1)
	}
}
