"""The OpenAPI document: descriptions, bodies, examples."""
