"""Reading the data of fine-tuning tasks: tables, CoNLL columns, SQuAD JSON, and their splits."""
