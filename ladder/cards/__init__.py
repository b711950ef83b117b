"""The language: all that a card can say, word by word, and the recipe that it resolves to. Imports no torch."""

from ladder.cards.augmentations import Affine, CenterCrop, Rotate
from ladder.cards.card import CARDS, Card, Reported, Source, lineage, natural, read_card, resolve, rung_names
from ladder.cards.changes import network_changes
from ladder.cards.optimizers import Adam, Sgd
from ladder.cards.params import Overrides, Params, TrainOverrides, read_params
from ladder.cards.recipe import Images, Input, Recipe, read_recipe, recipe_content
from ladder.cards.schedules import Moment
from ladder.cards.schema import Holdout, RungName, Seeds, Strict, nearest, validated
from ladder.cards.shapes import Row, layer_table, parameters, work
