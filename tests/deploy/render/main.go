// Renders a chart with the template engine that Helm is built on, for machines that have Go and not Helm.
//
// Knows the functions that our chart calls, and no others: a template that calls another one fails here.
// Arguments: folder of the chart, name of the release. On stdin: the values, as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"
)

func main() {
	chart, release := os.Args[1], os.Args[2]
	decoder := json.NewDecoder(os.Stdin)
	decoder.UseNumber()
	var values map[string]any
	check(decoder.Decode(&values))
	root := template.New("chart").Option("missingkey=error")
	root.Funcs(functions(root))
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	check(err)
	sort.Strings(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(err)
		_, err = root.New(filepath.Base(file)).Parse(string(text))
		check(err)
	}
	data := map[string]any{"Values": values, "Release": map[string]any{"Name": release}}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "_") {
			continue
		}
		check(root.ExecuteTemplate(os.Stdout, filepath.Base(file), data))
	}
}

func functions(root *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var out bytes.Buffer
			err := root.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"nindent": func(width int, text string) string {
			pad := strings.Repeat(" ", width)
			return "\n" + pad + strings.ReplaceAll(text, "\n", "\n"+pad)
		},
		"quote": func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"default": func(other, value any) any {
			if value == nil || value == "" {
				return other
			}
			return value
		},
		"ternary": func(yes, no any, is bool) any {
			if is {
				return yes
			}
			return no
		},
		"list": func(items ...any) []any { return items },
		"dict": func(pairs ...any) map[string]any {
			made := map[string]any{}
			for i := 0; i < len(pairs); i += 2 {
				made[pairs[i].(string)] = pairs[i+1]
			}
			return made
		},
		"toJson": func(value any) (string, error) {
			text, err := json.Marshal(value)
			return string(text), err
		},
		"toYaml": func(value any) string { return strings.TrimPrefix(asYaml(value), "\n") },
	}
}

// asYaml writes maps as blocks and everything else as JSON, which is YAML.
func asYaml(value any) string {
	found, isMap := value.(map[string]any)
	if !isMap {
		text, err := json.Marshal(value)
		check(err)
		return " " + string(text)
	}
	keys := make([]string, 0, len(found))
	for key := range found {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	lines := ""
	for _, key := range keys {
		lines += "\n" + key + ":" + strings.ReplaceAll(asYaml(found[key]), "\n", "\n  ")
	}
	return lines
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
