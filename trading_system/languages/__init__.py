"""The languages a person may read: English is written in each table of phrases, others are catalogues beside this."""
