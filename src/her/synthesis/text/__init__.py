"""What a text says and how: words, sentences, paragraphs, quotations, headings, language, person. Knows no model."""
