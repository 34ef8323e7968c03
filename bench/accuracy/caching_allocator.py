"""How many bytes does PyTorch's CUDA caching allocator reserve for a list of requests?

Rules (c10/cuda/CUDACachingAllocator.cpp): sizes round up to 512 B; requests up to 1 MiB live in
segments of 2 MiB, below 10 MiB in segments of 20 MiB, larger ones in segments of their own size
rounded up to 2 MiB; best fit; a block is split when the rest is at least 512 B (small pool) or
more than 1 MiB (large pool); free neighbours merge; segments are never given back.
"""
import bisect

MIB = 1 << 20
ROUND = 512


def rounded(size):
    return (size + ROUND - 1) // ROUND * ROUND if size else 0


class Block:
    __slots__ = ("size", "large", "free", "before", "after", "number")
    count = 0

    def __init__(self, size, large, before=None, after=None):
        self.size, self.large, self.before, self.after, self.free = size, large, before, after, True
        Block.count += 1
        self.number = Block.count


class CachingAllocator:
    def __init__(self):
        self.free_blocks = {False: [], True: []}  # pool -> sorted (size, number)
        self.by_number = {}
        self.reserved = self.allocated = self.peak_reserved = self.peak_allocated = 0

    def _keep(self, block):
        bisect.insort(self.free_blocks[block.large], (block.size, block.number))
        self.by_number[block.number] = block

    def _take(self, block):
        pool = self.free_blocks[block.large]
        pool.pop(bisect.bisect_left(pool, (block.size, block.number)))
        del self.by_number[block.number]

    def _segment(self, size, large):
        if not large:
            segment = 2 * MIB
        elif size < 10 * MIB:
            segment = 20 * MIB
        else:
            segment = (size + 2 * MIB - 1) // (2 * MIB) * (2 * MIB)
        self.reserved += segment
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        return Block(segment, large)

    def malloc(self, size):
        size = max(rounded(size), ROUND)
        large = size > MIB
        pool = self.free_blocks[large]
        place = bisect.bisect_left(pool, (size, 0))
        if place < len(pool):
            block = self.by_number[pool[place][1]]
            self._take(block)
        else:
            block = self._segment(size, large)
        rest = block.size - size
        if rest > MIB if large else rest >= ROUND:
            tail = Block(rest, large, block, block.after)
            if block.after:
                block.after.before = tail
            block.after, block.size = tail, size
            self._keep(tail)
        block.free = False
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)
        return block

    def free(self, block):
        self.allocated -= block.size
        block.free = True
        before, after = block.before, block.after
        if before is not None and before.free:
            self._take(before)
            block.before = before.before
            if before.before:
                before.before.after = block
            block.size += before.size
        if after is not None and after.free:
            self._take(after)
            block.after = after.after
            if after.after:
                after.after.before = block
            block.size += after.size
        self._keep(block)
