from her.renderers.overlap import bleu, rouge_l, words

__all__ = ["bleu", "rouge_l", "words"]
