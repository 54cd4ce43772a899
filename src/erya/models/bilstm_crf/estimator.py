"""A BiLSTM-CRF as a tagger: its settings and its network. The mathematics is in ``network.py``.

How such a network is trained and asked is in ``parts/network_tagger.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from erya.parts.network_tagger import NetworkTagger
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.bilstm_crf import network
    from erya.parts.tagging_network import Body


class BiLSTMCRF(NetworkTagger):
    """One LSTM reads from the left, one from the right; a conditional random field chooses the tags of a sentence together.

    Args:
        tokenizer: name or object that cuts raw text, see ``text.tokenizers.make``; ``"auto"``: as the tokens of the training were cut.
        scheme: that is learned in: ``"data"``: that of the tags as they come, or ``"iob2"``, ``"bioes"``, ``"bmes"`` …; answers are in the
            scheme of the data.
        dim: D, width of a word vector; None: 100, or that of ``vectors``.
        hidden_width: H, units of each reader.
        layers: one above the other; each reads what both readers of the one below said.
        characters: how a word's spelling is read: ``"cnn"``, ``"lstm"`` or ``"none"``.
        character_dim: width of a character's vector.
        character_width: what is kept of a word's spelling: filters of the CNN, or units of both readers of the LSTM.
        character_window: characters that a filter sees; odd.
        case_features: whether it is told apart from the word how the word is capitalised.
        pair_dim: width of the vector of a token with its right neighbour, for Chinese characters; 0: pairs are not read.
        lower_case: whether words are looked up in lower case; if not, they still are where they are unknown as they stand.
        word_dropout: α: a word that training has n times is taken for an unknown one with probability α / (α + n), so that
            the network learns what to do with those.
        dropout: share of the numbers that is dropped while learning, of what goes into each layer and comes out of the last one.
        min_count: rarer words count as unknown.
        epochs: at most.
        batch_size: sentences a step.
        optimizer: ``"adam"``, ``"sgd"``, or ``"momentum"``: descent with momentum 0.9.
        learning_rate: of it.
        schedule: of the learning rate: ``"constant"``, or falling to 0 by the last of ``epochs``: ``"linear"`` or ``"cosine"``.
        warmup: share of the training over which the learning rate first rises from 0.
        weight_decay: shrinks the weights at each step.
        clip_norm: longer gradients are shortened to this; None: never.
        patience: epochs without a better held-out score (span F1; accuracy, where tags tell no spans) after which training
            ends; None: no early stopping.
        vectors: word vectors to begin with: a file in any format that Erya reads, a ``.erya`` of ours, or a model of word vectors;
            None: random ones. Words that they know have a row however rare they are; a word they lack is looked up in lower case.
        vectors_mode: ``"non-static"``: they go on learning; ``"static"``: they stay as they are.
        min_coverage: share of the running text that the vectors must know.
        extra_words: so many of the vectors' first words have a row though no training sentence has them.
        seed: of first weights, order, dropout and held-out sentences.

    Attributes:
        network_: the torch module, see ``network.py``; the others are those of every ``NetworkTagger``.
    """

    id: ClassVar[str] = "tag/bilstm_crf"

    def __init__(
        self,
        *,
        tokenizer: str | tokenizers.Tokenizer = "auto",
        scheme: str = "bioes",
        dim: int | None = None,
        hidden_width: int = 128,
        layers: int = 1,
        characters: str = "cnn",
        character_dim: int = 30,
        character_width: int = 50,
        character_window: int = 3,
        case_features: bool = True,
        pair_dim: int = 0,
        lower_case: bool = True,
        word_dropout: float = 0.5,
        dropout: float = 0.5,
        min_count: int = 1,
        epochs: int = 20,
        batch_size: int = 16,
        optimizer: str = "adam",
        learning_rate: float = 0.005,
        schedule: str = "linear",
        warmup: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = 5.0,
        patience: int | None = 5,
        vectors: Any = None,
        vectors_mode: str = "non-static",
        min_coverage: float = 0.2,
        extra_words: int = 20_000,
        seed: int = 0,
    ) -> None:
        self.tokenizer = tokenizer
        self.scheme = scheme
        self.dim = dim
        self.hidden_width = hidden_width
        self.layers = layers
        self.characters = characters
        self.character_dim = character_dim
        self.character_width = character_width
        self.character_window = character_window
        self.case_features = case_features
        self.pair_dim = pair_dim
        self.lower_case = lower_case
        self.word_dropout = word_dropout
        self.dropout = dropout
        self.min_count = min_count
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.patience = patience
        self.vectors = vectors
        self.vectors_mode = vectors_mode
        self.min_coverage = min_coverage
        self.extra_words = extra_words
        self.seed = seed

    def _network(self, body: Body, generator: Any = None) -> network.CRFTagger:
        from erya.models.bilstm_crf.network import CRFTagger

        return CRFTagger(body, generator)
