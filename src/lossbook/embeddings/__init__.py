"""The word-embedding models of the book, in modules named as the chapters.

Words are numbers, 0 to V - 1. Input vectors E have a row for each word, (V, D); so have
the output vectors here, W transposed, since rows are what is looked up.
"""
