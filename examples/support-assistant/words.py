"""A small model that tells the topic of a question by its words: softmax regression."""
import json
import math
import random
import re


def words(text):
    return set(re.findall(r"[a-z]{3,}", text.lower()))


def load(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines]


def scores(weights, question):
    found = words(question)
    return {topic: sum(row.get(word, 0.0) for word in found) for topic, row in weights.items()}


def best(weights, question):
    return max(sorted(weights), key=scores(weights, question).get)


def train(pairs, rate, rounds, seed=0):
    """Weights per topic and word, and the loss of every round."""
    weights = {topic: {} for topic in sorted({pair["topic"] for pair in pairs})}
    order, losses = list(pairs), []
    for number in range(rounds):
        random.Random(seed + number).shuffle(order)
        loss = 0.0
        for pair in order:
            found = scores(weights, pair["question"])
            top = max(found.values())
            total = sum(math.exp(score - top) for score in found.values())
            for topic, row in weights.items():
                share = math.exp(found[topic] - top) / total
                error = share - (topic == pair["topic"])
                loss -= math.log(max(share, 1e-12)) if topic == pair["topic"] else 0.0
                for word in words(pair["question"]):
                    row[word] = row.get(word, 0.0) - rate * error
        losses.append(loss / len(order))
    return weights, losses
