"""What a reviewer asks for before a model is used: bill of materials, transparency record, signature, data sheet."""
