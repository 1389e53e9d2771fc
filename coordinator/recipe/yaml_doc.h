/* yaml_doc.h - inside of a YAML document: for yaml.c and yaml_value.c only. */
#ifndef COORDINATOR_YAML_DOC_H
#define COORDINATOR_YAML_DOC_H

#include "coordinator/recipe/yaml.h"

struct yaml_doc {
    char *name;
    struct yaml_node *root;
    struct yaml_node **nodes; /* every node, for freeing */
    size_t n_nodes, cap_nodes;
    size_t copied; /* bytes of text made by expanding aliases */
};

struct yaml_doc *yaml_doc_new(const char *name);
/* A node at line 0, owned by the document. */
struct yaml_node *yaml_doc_node(struct yaml_doc *d, enum yaml_kind kind);
void yaml_node_add(struct yaml_node *n, struct yaml_node *key, struct yaml_node *value);

#endif
